package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/invalid"
	"muniment/vault/rekey"
)

const (
	// codeLapse is how long a one-time code can be used.
	codeLapse = 7 * 24 * time.Hour
	// grantLapse is how long a proposal of grants stays open.
	grantLapse = 90 * 24 * time.Hour
)

// grantTerms are those of grants: an approval is their execution, and they wait for nothing else.
var grantTerms = approval.Terms{Lapse: grantLapse}

// Principal describes a principal of a tenant.
type Principal struct {
	ID      journal.ID
	Name    string // "" for none, or for one that could not be opened now
	Origin  string // access.OriginBootstrap, OriginFounding or OriginCreated
	Created time.Time
	Grants  []access.Grant
	Keys    []PrincipalKey
	Revoked bool      // keys spoke for it, and none does any more
	Code    time.Time // when its one-time code lapses; zero for none
}

// PrincipalKey is an API key of a principal.
type PrincipalKey struct {
	Fingerprint access.Fingerprint
	Added       time.Time
	Approved    bool // it speaks for the principal
}

// NewPrincipal is a principal that is to be made.
type NewPrincipal struct {
	Name   string // needed in a tenant that was founded: an approver must see who it is
	Grants []access.Grant
}

// CreatedPrincipal is a principal that was made.
type CreatedPrincipal struct {
	Principal Principal
	Key       access.APIKey  // on trial: in force at once; else zero
	Code      access.Code    // in a tenant that was founded: its person claims a key with it; else zero
	Lapses    time.Time      // of Code
	Proposal  *GrantProposal // of its grants, in a tenant that was founded; nil for none
}

// Self is what a principal is told about itself.
type Self struct {
	Tenant string
	Trial  bool // the tenant is on trial
	Principal
}

// describe makes the description of a principal whose name is open.
func describe(s access.Standing, name string) Principal {
	p := Principal{
		ID: s.Principal, Name: name, Origin: s.Origin, Created: s.Created, Grants: s.Grants, Revoked: s.Revoked,
		Code: s.Code,
	}
	for _, key := range s.Keys {
		p.Keys = append(p.Keys, PrincipalKey{
			Fingerprint: access.FingerprintOf(key.Digest), Added: key.Added, Approved: key.Speaks,
		})
	}
	return p
}

// CreatePrincipal makes a principal of who's tenant; who needs access.ManageUsers. On trial it has its grants and an
// API key at once. In a tenant that was founded it has neither: the person claims a key with a one-time code, and the
// grants are proposed for an approver. Keys and codes are shown once and stored nowhere.
//
// When it returns access.ErrUnreleased all that it has made is returned, too: it is in force, but no locked checkpoint
// covers it yet. The same again would make another principal.
//
// Errors: a *invalid.Field for name and grants; ErrNoSeries; ErrRoles; access.ErrDenied.
func (p *People) CreatePrincipal(ctx context.Context, who access.Who, in NewPrincipal) (CreatedPrincipal, error) {
	out, err := p.createPrincipal(ctx, who, in)
	if err == nil {
		err = p.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("creating a principal: %w", err)
	}
	return out, nil
}

func (p *People) createPrincipal(ctx context.Context, who access.Who, in NewPrincipal) (CreatedPrincipal, error) {
	if err := errors.Join(checkName(in.Name), CheckGrants(in.Grants)); err != nil {
		return CreatedPrincipal{}, err
	}
	id, err := p.newID()
	if err != nil {
		return CreatedPrincipal{}, err
	}
	proposal, err := p.newID()
	if err != nil {
		return CreatedPrincipal{}, err
	}
	key, err := access.NewAPIKey(p.cfg.Rand)
	if err != nil {
		return CreatedPrincipal{}, err
	}
	code, err := access.NewCode(p.cfg.Rand)
	if err != nil {
		return CreatedPrincipal{}, err
	}
	name, err := p.sealName(ctx, who.Tenant, id, in.Name)
	if err != nil {
		return CreatedPrincipal{}, err
	}
	var out CreatedPrincipal
	decide := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		out = CreatedPrincipal{Principal: Principal{
			ID: id, Name: in.Name, Origin: access.OriginCreated, Created: view.Now(),
		}}
		if err := guard.Authorize(access.ManageUsers, access.Scope{}, journal.ID{}); err != nil {
			return journal.Change{}, err
		}
		if err := p.grantable(view, who.Tenant, nil, in.Grants); err != nil {
			return journal.Change{}, err
		}
		tenancy, err := guard.Tenancy()
		if err != nil {
			return journal.Change{}, err
		}
		created := access.PrincipalCreatedData{Principal: id, Origin: access.OriginCreated}
		if tenancy.Trial {
			created.Grants = in.Grants
			out.Principal.Grants, out.Key = in.Grants, key
			out.Principal.Keys = []PrincipalKey{{Fingerprint: key.Fingerprint(), Added: view.Now(), Approved: true}}
			digest := key.Digest()
			return name.change(access.PrincipalCreated.New(journal.ID{}, created),
				access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: id, Digest: digest[:]})), nil
		}
		if in.Name == "" {
			return journal.Change{}, &invalid.Field{Name: "name", Reason: "is missing: an approver must see who it is"}
		}
		out.Code, out.Lapses = code, view.Now().Add(codeLapse)
		out.Principal.Code = out.Lapses
		events := []journal.Event{
			access.PrincipalCreated.New(journal.ID{}, created), codeIssued(id, code, out.Lapses),
		}
		if len(in.Grants) > 0 {
			s := access.Standing{Who: access.Who{Tenant: who.Tenant, Principal: id}, Name: name.id}
			open, event := propose(who, s, proposal, in.Grants, view.Settled())
			open.Name, out.Proposal = in.Name, &open
			events = append(events, event)
		}
		return name.change(events...), nil
	}
	_, err = rekey.CommitRow(ctx, p.cfg.Door, p.cfg.Keys, who, &name.row, decide)
	if err != nil {
		return CreatedPrincipal{}, err
	}
	return out, nil
}

func codeIssued(id journal.ID, code access.Code, lapses time.Time) journal.Event {
	digest := code.Digest()
	return access.CodeIssued.New(journal.ID{},
		access.CodeIssuedData{Principal: id, Digest: digest[:], Lapses: lapses})
}

// newID draws an id.
func (p *People) newID() (journal.ID, error) { return journal.NewID(p.cfg.Clock.Now(), p.cfg.Rand) }

// CheckGrants refuses grants that nobody could have.
func CheckGrants(grants []access.Grant) error {
	for _, g := range grants {
		if !g.Role.Known() {
			return &invalid.Field{Name: "grants", Reason: "name an unknown role; " +
				"there are depositor, reader, records_officer, approver, auditor, key_custodian and administrator"}
		}
		if fault := invalid.Series(g.Series); fault != "" {
			return &invalid.Field{Name: "grants", Reason: "name a series whose code " + fault}
		}
	}
	return nil
}

// grantable says whether somebody who has grants may be given others: ErrNoSeries, ErrRoles.
func (p *People) grantable(r journal.Reader, tenant string, has, add []access.Grant) error {
	for _, g := range add {
		if g.Series == "" {
			continue
		}
		if err := p.cfg.Series(r, tenant, g.Series); err != nil {
			return err
		}
	}
	if one, other, bad := access.Conflict(access.Union(has, add)); bad {
		return fmt.Errorf("%w: %s and %s", ErrRoles, one, other)
	}
	return nil
}

// Principals describes the principals of who's tenant as they stood at a time, or stand now if it is zero, in the order
// of their creation; access.ViewUsers is needed. Names are those of today: earlier ones were erased.
func (p *People) Principals(ctx context.Context, who access.Who, at time.Time) ([]Principal, error) {
	standings, err := p.standings(ctx, who, at)
	if err != nil {
		return nil, fmt.Errorf("listing principals: %w", err)
	}
	return p.describeAll(ctx, who.Tenant, standings)
}

// PrincipalByID describes one principal as Principals does: ErrNotFound.
func (p *People) PrincipalByID(ctx context.Context, who access.Who, id journal.ID, at time.Time) (Principal, error) {
	standings, err := p.standings(ctx, who, at)
	if err != nil {
		return Principal{}, fmt.Errorf("describing a principal: %w", err)
	}
	i := slices.IndexFunc(standings, func(s access.Standing) bool { return s.Principal == id })
	if i < 0 {
		return Principal{}, fmt.Errorf("describing a principal: %w", ErrNotFound)
	}
	one, err := p.describeAll(ctx, who.Tenant, standings[i:i+1])
	if err != nil {
		return Principal{}, fmt.Errorf("describing a principal: %w", err)
	}
	return one[0], nil
}

// standings are those of all principals of who's tenant at a time, or now if it is zero.
func (p *People) standings(ctx context.Context, who access.Who, at time.Time) (all []access.Standing, err error) {
	if err := p.cfg.Door.Consult(ctx, who, access.ConsultedPrincipals, viewsUsers); err != nil {
		return nil, err
	}
	err = p.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		if at.IsZero() {
			all, err = p.cfg.Door.Authority().Standings(r, who.Tenant)
		} else {
			all, err = p.cfg.Door.Authority().StandingsAt(r, who.Tenant, at)
		}
		return err
	})
	return all, err
}

// describeAll describes principals with the names that they have today.
func (p *People) describeAll(ctx context.Context, tenant string, standings []access.Standing) ([]Principal, error) {
	shown := map[journal.ID]bool{}
	for _, s := range standings {
		shown[s.Principal] = true
	}
	var today []access.Standing
	err := p.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		today, err = p.cfg.Door.Authority().Standings(r, tenant)
		return err
	})
	today = slices.DeleteFunc(today, func(s access.Standing) bool { return !shown[s.Principal] })
	names := p.openNames(ctx, tenant, today)
	out := make([]Principal, len(standings))
	for i, s := range standings {
		out[i] = describe(s, names[s.Principal])
	}
	return out, err
}

// WhoAmI tells a principal what it is and may do. Nothing goes on record: it knows that already.
func (p *People) WhoAmI(ctx context.Context, who access.Who) (Self, error) {
	var (
		self access.Standing
		out  = Self{Tenant: who.Tenant}
	)
	err := p.cfg.Journal.View(ctx, func(r journal.Reader) error {
		tenancy, err := p.cfg.Door.Authority().Tenancy(r, who.Tenant)
		if err != nil {
			return err
		}
		out.Trial = tenancy.Trial
		var known bool
		if self, known, err = p.cfg.Door.Authority().Standing(r, who); err == nil && !known {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return Self{}, fmt.Errorf("describing the caller: %w", err)
	}
	out.Principal = describe(self, p.openNames(ctx, who.Tenant, []access.Standing{self})[who.Principal])
	return out, nil
}

// viewsUsers says that principals may be looked at.
func viewsUsers(_ journal.Reader, guard *access.Guard) error {
	return guard.Authorize(access.ViewUsers, access.Scope{}, journal.ID{})
}

// IssueCode makes a one-time code, by which the person claims a further key for a principal of who's tenant, in the
// place of an earlier code; access.ManageUsers is needed. In a tenant that was founded the key speaks for the principal
// when an approval covers it (ProposeGrants).
//
// Errors: ErrNotFound; approval.ErrOwnRequest; ErrFounding for a founder; access.ErrDenied; access.ErrUnreleased,
// together with the code.
func (p *People) IssueCode(ctx context.Context, who access.Who, principal journal.ID) (access.Code, time.Time, error) {
	code, err := access.NewCode(p.cfg.Rand)
	if err != nil {
		return access.Code{}, time.Time{}, err
	}
	var lapses time.Time
	_, err = p.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		if _, err := p.managed(view, guard, principal); err != nil {
			return journal.Change{}, err
		}
		lapses = view.Now().Add(codeLapse)
		return journal.Change{Events: []journal.Event{codeIssued(principal, code, lapses)}}, nil
	})
	if err != nil {
		return access.Code{}, time.Time{}, fmt.Errorf("issuing a one-time code: %w", err)
	}
	if err := p.cfg.Door.Kept(ctx); err != nil {
		return code, lapses, fmt.Errorf("issuing a one-time code: %w", err)
	}
	return code, lapses, nil
}

// managed finds a principal about which another one, who may manage them, decides: ErrNotFound; approval.ErrOwnRequest
// for the own; ErrFounding for a founder, whose power nobody prepares before the founding is over.
func (p *People) managed(view journal.View, guard *access.Guard, id journal.ID) (access.Standing, error) {
	if err := guard.Authorize(access.ManageUsers, access.Scope{}, journal.ID{}); err != nil {
		return access.Standing{}, err
	}
	if id == guard.Who().Principal {
		return access.Standing{}, approval.ErrOwnRequest
	}
	return p.known(view, guard, id)
}

// known finds a principal of the tenant: ErrNotFound; ErrFounding.
func (p *People) known(view journal.View, guard *access.Guard, id journal.ID) (access.Standing, error) {
	tenancy, err := guard.Tenancy()
	if err == nil && tenancy.Founding.Has(id) {
		err = ErrFounding
	}
	if err != nil {
		return access.Standing{}, err
	}
	s, known, err := p.cfg.Door.Authority().Standing(view, access.Who{Tenant: guard.Who().Tenant, Principal: id})
	if err == nil && !known {
		err = ErrNotFound
	}
	return s, err
}
