package people

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/rekey"
)

// Founding is what a founding gives out: a one-time code for each of two people. It ends when both have claimed their
// keys (Claim), each at their own terminal.
type Founding struct {
	Administrator FounderCode
	Approver      FounderCode
	NotBefore     time.Time // of a recovery: when the codes can be used at the earliest
}

// FounderCode is that of one founder.
type FounderCode struct {
	Principal journal.ID
	Name      string      // "" where the person gives it with the claim
	Code      access.Code // zero for a founder who has claimed a key already
	Lapses    time.Time
}

// founders are two principals that are to found a tenant.
type founders struct {
	Founding
	names [2]sealedName
}

// newFounders draws the principals and codes of two founders.
func (p *People) newFounders(ctx context.Context, tenant string, administrator, approver string) (founders, error) {
	var out founders
	for i, f := range []*FounderCode{&out.Administrator, &out.Approver} {
		var err error
		if f.Principal, err = p.newID(); err != nil {
			return founders{}, err
		}
		if f.Code, err = access.NewCode(p.cfg.Rand); err != nil {
			return founders{}, err
		}
		f.Name = []string{administrator, approver}[i]
		if out.names[i], err = p.sealName(ctx, tenant, f.Principal, f.Name); err != nil {
			return founders{}, err
		}
	}
	return out, nil
}

// change is the beginning of the founding at a time. The codes of a recovery can be used from notBefore on, and go by
// settled time.
func (f *founders) change(now time.Time, notBefore *time.Time) journal.Change {
	var out journal.Change
	begun := access.FoundingBegunData{
		Administrator: f.Administrator.Principal, Approver: f.Approver.Principal, NotBefore: notBefore,
	}
	lapses := now.Add(codeLapse)
	if notBefore != nil {
		f.NotBefore = *notBefore
		lapses = notBefore.Add(codeLapse)
		begun.Lapses = &lapses
	}
	var codes []journal.Event
	for i, founder := range []*FounderCode{&f.Administrator, &f.Approver} {
		founder.Lapses = lapses
		role := []access.Role{access.Administrator, access.Approver}[i]
		created := access.PrincipalCreatedData{
			Principal: founder.Principal, Origin: access.OriginFounding, Grants: []access.Grant{{Role: role}},
		}
		one := f.names[i].change(access.PrincipalCreated.New(journal.ID{}, created))
		out.Events, out.Sealed = append(out.Events, one.Events...), append(out.Sealed, one.Sealed...)
		codes = append(codes, codeIssued(founder.Principal, founder.Code, lapses))
	}
	out.Events = append(out.Events, access.FoundingBegun.New(journal.ID{}, begun))
	out.Events = append(out.Events, codes...)
	return out
}

// Found begins to found who's tenant, which is on trial: two people, by their display names, become administrator and
// approver. When both have claimed their keys the trial has ended, and every other API key of the tenant is revoked:
// who has had one was let in by one person alone. access.ManageUsers is needed. It takes the place of an earlier
// beginning.
//
// Errors: a *invalid.Field for the names; ErrFounded; access.ErrDenied; access.ErrUnreleased, together with the codes.
func (p *People) Found(ctx context.Context, who access.Who, administrator, approver string) (Founding, error) {
	founding, err := p.found(ctx, who, administrator, approver)
	if err == nil {
		err = p.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return founding, fmt.Errorf("founding the tenant: %w", err)
	}
	return founding, nil
}

func (p *People) found(ctx context.Context, who access.Who, administrator, approver string) (Founding, error) {
	if err := checkFounders(administrator, approver); err != nil {
		return Founding{}, err
	}
	two, err := p.newFounders(ctx, who.Tenant, administrator, approver)
	if err != nil {
		return Founding{}, err
	}
	rows := []*journal.Row{&two.names[0].row, &two.names[1].row}
	decide := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		if err := guard.Authorize(access.ManageUsers, access.Scope{}, journal.ID{}); err != nil {
			return journal.Change{}, err
		}
		tenancy, err := guard.Tenancy()
		if err == nil && !tenancy.Trial {
			err = ErrFounded
		}
		if err != nil {
			return journal.Change{}, err
		}
		return two.change(view.Now(), nil), nil
	}
	if _, err := rekey.CommitRows(ctx, p.cfg.Door, p.cfg.Keys, who, rows, decide); err != nil {
		return Founding{}, err
	}
	return two.Founding, nil
}

func checkFounders(administrator, approver string) error {
	err := errors.Join(checkName(administrator), checkName(approver))
	if err == nil && (administrator == "" || approver == "" || administrator == approver) {
		err = &invalid.Field{Name: "administrator, approver", Reason: "are not the names of two people"}
	}
	return err
}

// Begin makes a tenant whose first events end with those that it is given, such as vault.Vault.BeginTenant.
type Begin func(ctx context.Context, tenant string, people func(journal.View) []journal.Event) error

// BeginFounding makes a tenant that two people found: nobody may do anything until both have claimed their keys. Only
// the operator of the process may call it.
//
// Errors: those of begin, which makes the tenant.
func (p *People) BeginFounding(ctx context.Context, tenant string, begin Begin) (Founding, error) {
	two, err := p.newFounders(ctx, tenant, "", "")
	if err != nil {
		return Founding{}, fmt.Errorf("founding a tenant: %w", err)
	}
	err = begin(ctx, tenant, func(view journal.View) []journal.Event {
		return two.change(view.Now(), nil).Events
	})
	if err != nil {
		return Founding{}, fmt.Errorf("founding a tenant: %w", err)
	}
	return two.Founding, nil
}

// FoundingCodes makes new one-time codes for the founders of a tenant who have not claimed their keys; false when the
// tenant is founded, or on trial. Only the operator of the process may call it: before the tenant is founded there is
// nobody to authorize, and nothing in it yet.
func (p *People) FoundingCodes(ctx context.Context, tenant string) (Founding, bool, error) {
	var codes [2]access.Code
	for i := range codes {
		var err error
		if codes[i], err = access.NewCode(p.cfg.Rand); err != nil {
			return Founding{}, false, fmt.Errorf("making new codes for the founders: %w", err)
		}
	}
	var (
		out  Founding
		open bool
	)
	actor := journal.Actor{Tenant: tenant, ID: access.BootstrapActor}
	_, err := p.cfg.Journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
		tenancy, err := p.cfg.Door.Authority().Tenancy(view, tenant)
		open = err == nil && tenancy.Founding != nil && !tenancy.Trial && tenancy.Founded.IsZero()
		if !open {
			return journal.Change{}, err
		}
		var change journal.Change
		ids := []journal.ID{tenancy.Founding.Administrator, tenancy.Founding.Approver}
		for i, f := range []*FounderCode{&out.Administrator, &out.Approver} {
			*f = FounderCode{Principal: ids[i]}
			s, _, err := p.cfg.Door.Authority().Standing(view, access.Who{Tenant: tenant, Principal: ids[i]})
			if err != nil {
				return journal.Change{}, err
			}
			if len(s.Keys) > 0 {
				continue
			}
			f.Code, f.Lapses = codes[i], view.Now().Add(codeLapse)
			change.Events = append(change.Events, codeIssued(f.Principal, f.Code, f.Lapses))
		}
		return change, nil
	})
	if err != nil {
		return Founding{}, false, fmt.Errorf("making new codes for the founders: %w", err)
	}
	return out, open, nil
}

// Recover begins to put two people in the place of those who are lost: where no administrator, or no approver, is left
// who could grant anything. It is the operator's act, offline, on record, and an alarm while it is under way: any
// administrator or approver who is there after all can stop it (StopFounding). The codes can be used when wait has
// passed, by settled time. It takes the place of an earlier beginning.
//
// Errors: a *invalid.Field for the names; ErrNotFound for a tenant that was never founded.
func (p *People) Recover(ctx context.Context, tenant, administrator, approver string, wait time.Duration) (Founding,
	error) {
	err := checkFounders(administrator, approver)
	if err != nil {
		return Founding{}, fmt.Errorf("recovering a tenant: %w", err)
	}
	two, err := p.newFounders(ctx, tenant, administrator, approver)
	if err != nil {
		return Founding{}, fmt.Errorf("recovering a tenant: %w", err)
	}
	actor := journal.Actor{Tenant: tenant, ID: access.OperatorActor}
	_, err = p.cfg.Journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
		tenancy, err := p.cfg.Door.Authority().Tenancy(view, tenant)
		if err == nil && tenancy.Founded.IsZero() {
			err = ErrNotFound
		}
		if err != nil {
			return journal.Change{}, err
		}
		notBefore := view.Settled().Add(wait)
		change := two.change(view.Now(), &notBefore)
		return change, rekey.Current(view, tenant, change.Sealed...)
	})
	if err != nil {
		return Founding{}, fmt.Errorf("recovering a tenant: %w", err)
	}
	return two.Founding, nil
}

// StopFounding ends a recovery, or a founding, that is under way: its codes cannot be used any more. access.ManageUsers
// or access.ApproveGrants is needed.
//
// Errors: ErrNotFound when none is under way; access.ErrDenied; access.ErrUnreleased.
func (p *People) StopFounding(ctx context.Context, who access.Who) error {
	_, err := p.cfg.Door.Commit(ctx, who, func(_ journal.View, guard *access.Guard) (journal.Change, error) {
		if err := eitherAct(guard, access.ApproveGrants, access.ManageUsers); err != nil {
			return journal.Change{}, err
		}
		tenancy, err := guard.Tenancy()
		if err == nil && tenancy.Founding == nil {
			err = ErrNotFound
		}
		return journal.Change{Events: []journal.Event{
			access.FoundingStopped.New(journal.ID{}, access.FoundingStoppedData{}),
		}}, err
	})
	if err == nil {
		err = p.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return fmt.Errorf("stopping a founding: %w", err)
	}
	return nil
}
