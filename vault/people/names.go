package people

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/rekey"
	"muniment/vault/seal"
)

// maxName is how long a display name may be, in bytes.
const maxName = 80

// nameBinding is the kind of sealed rows with display names, in their bindings.
const nameBinding = "name"

// bindName is what a display name is bound to: another principal's does not open in its place.
func bindName(tenant string, principal, name journal.ID) []byte {
	return seal.RowBinding(tenant, nameBinding, append(principal[:], name[:]...))
}

// NameBinding is what the display name that an event binds is bound to.
func NameBinding(by journal.Record, name journal.ID) ([]byte, error) {
	var named access.PrincipalNamedData
	if err := json.Unmarshal(by.Data, &named); err != nil || by.Type != string(access.PrincipalNamed) {
		return nil, fmt.Errorf("a display name is bound by an event that names nobody: %w", journal.ErrDamaged)
	}
	return bindName(by.Tenant, named.Principal, name), nil
}

func checkName(name string) error {
	fault := invalid.Line(name, maxName)
	if strings.TrimSpace(name) != name {
		fault = "begins or ends with a space"
	}
	if fault != "" {
		return &invalid.Field{Name: "name", Reason: fault}
	}
	return nil
}

// sealedName is a display name that is about to be written; the zero value is none.
type sealedName struct {
	principal journal.ID
	id        journal.ID
	row       journal.Row
}

// sealName seals a display name; "" is none.
func (p *People) sealName(ctx context.Context, tenant string, principal journal.ID, name string) (sealedName, error) {
	if name == "" {
		return sealedName{}, nil
	}
	id, err := p.newID()
	if err != nil {
		return sealedName{}, err
	}
	value, err := seal.Text(ctx, p.cfg.Keys, tenant, bindName(tenant, principal, id), []byte(name))
	row := journal.Row{Key: access.NameRow(id), Value: value}
	return sealedName{principal: principal, id: id, row: row}, err
}

// change is a change of the events given, and of one more by which the principal, which has had none, has the name.
func (n *sealedName) change(events ...journal.Event) journal.Change {
	if n.id.IsZero() {
		return journal.Change{Events: events}
	}
	named := n.inPlaceOf(journal.ID{})
	named.Events = append(events, named.Events...)
	return named
}

// inPlaceOf is the change by which the principal has the name, and the former one is erased; the zero ID is none.
func (n *sealedName) inPlaceOf(former journal.ID) journal.Change {
	data := access.PrincipalNamedData{Principal: n.principal, Name: n.id}
	rows := []journal.Row{n.row}
	if !former.IsZero() {
		data.Former = &former
		rows = append(rows, journal.Row{Key: access.NameRow(former)})
	}
	return journal.Change{Events: []journal.Event{access.PrincipalNamed.New(journal.ID{}, data)}, Sealed: rows}
}

// Rename gives a principal of who's tenant another display name, and erases the earlier one; access.ManageUsers is
// needed.
//
// Errors: a *invalid.Field for the name; ErrNotFound; access.ErrDenied; access.ErrUnreleased.
func (p *People) Rename(ctx context.Context, who access.Who, principal journal.ID, name string) error {
	err := checkName(name)
	if err == nil && name == "" {
		err = &invalid.Field{Name: "name", Reason: "is missing"}
	}
	var sealed sealedName
	if err == nil {
		sealed, err = p.sealName(ctx, who.Tenant, principal, name)
	}
	if err != nil {
		return fmt.Errorf("naming a principal: %w", err)
	}
	decide := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		if err := guard.Authorize(access.ManageUsers, access.Scope{}, journal.ID{}); err != nil {
			return journal.Change{}, err
		}
		s, err := p.known(view, guard, principal)
		return sealed.inPlaceOf(s.Name), err
	}
	_, err = rekey.CommitRow(ctx, p.cfg.Door, p.cfg.Keys, who, &sealed.row, decide)
	if err == nil {
		err = p.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return fmt.Errorf("naming a principal: %w", err)
	}
	return nil
}

// Names are the display names of actors, by their ids, for showing them beside what they did. Actors that are no
// principals, or have no name, are not among them; nor is anybody for who lacks access.ViewUsers, or while the key
// service does not answer. One journal.consulted event covers all that the caller is told within an hour.
func (p *People) Names(ctx context.Context, who access.Who, actors []string) (map[string]string, error) {
	var standings []access.Standing
	err := p.cfg.Door.View(ctx, who, func(r journal.Reader, guard *access.Guard) error {
		may, err := guard.Permission(access.ViewUsers)
		if err != nil || !may.All {
			return err
		}
		seen := map[journal.ID]bool{}
		for _, actor := range actors {
			id, err := journal.ParseID(actor)
			if err != nil || seen[id] {
				continue
			}
			seen[id] = true
			s, known, err := p.cfg.Door.Authority().Standing(r, access.Who{Tenant: who.Tenant, Principal: id})
			if err != nil {
				return err
			}
			if known && !s.Name.IsZero() {
				standings = append(standings, s)
			}
		}
		return nil
	})
	if err == nil && len(standings) > 0 {
		err = p.cfg.Door.Consult(ctx, who, access.ConsultedPrincipals, viewsUsers)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the names of principals: %w", err)
	}
	names := map[string]string{}
	for id, name := range p.openNames(ctx, who.Tenant, standings) {
		names[id.String()] = name
	}
	return names, nil
}

// nameOf opens the display name of one principal, as it is now; "" for none, or for one that cannot be opened now.
func (p *People) nameOf(ctx context.Context, who access.Who) string {
	var s access.Standing
	err := p.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		s, _, err = p.cfg.Door.Authority().Standing(r, who)
		return err
	})
	if err != nil {
		return ""
	}
	return p.openNames(ctx, who.Tenant, []access.Standing{s})[who.Principal]
}

// openNames opens the display names of principals in one batch. A name that cannot be opened is left out and logged: it
// is shown beside what counts, which must not wait for it.
func (p *People) openNames(ctx context.Context, tenant string, standings []access.Standing) map[journal.ID]string {
	var (
		rows  []seal.Sealed
		owner []journal.ID
	)
	err := p.cfg.Journal.View(ctx, func(r journal.Reader) error {
		for _, s := range standings {
			if s.Name.IsZero() {
				continue
			}
			value, err := journal.SealedRow(r, access.NameRow(s.Name))
			if err != nil || value == nil { // the name of a past moment may have been erased
				continue
			}
			rows = append(rows, seal.Sealed{
				Binding: bindName(tenant, s.Principal, s.Name), Value: bytes.Clone(value),
			})
			owner = append(owner, s.Principal)
		}
		return nil
	})
	names := map[journal.ID]string{}
	if err != nil || len(rows) == 0 {
		return names
	}
	opened, err := seal.Open(ctx, p.cfg.Keys, tenant, rows)
	if err != nil {
		p.cfg.Log.Warn("the names of principals could not be opened", "tenant", tenant, "error", err)
		return names
	}
	for i, row := range opened {
		if row.Err != nil {
			p.cfg.Log.Error("the name of a principal is not what was recorded", "tenant", tenant,
				"principal", owner[i].String(), "error", row.Err)
			continue
		}
		names[owner[i]] = string(row.Text)
	}
	return names
}
