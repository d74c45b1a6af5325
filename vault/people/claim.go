package people

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/invalid"
	"muniment/vault/rekey"
)

// Claimed is what somebody gets for a one-time code.
type Claimed struct {
	Principal Principal
	Key       access.APIKey // shown once and stored nowhere
	Founded   bool          // this claim has ended the founding of the tenant, or a recovery
	InForce   bool          // the key speaks for the principal; else it waits for an approval, or the other founder

	named bool // the principal had a name before
}

// Claim draws an API key for the principal that a one-time code is for. The code is spent, and no other credential is
// needed; name is what the person is called, where the principal has no name yet. The claim of the second founder ends
// a founding.
//
// Errors: ErrNotFound for any code that is not open; a *invalid.Field for the name; approval.ErrWaiting, in a recovery
// whose waiting period has not ended; access.ErrUnreleased, together with what was claimed.
func (p *People) Claim(ctx context.Context, code, name string) (Claimed, error) {
	out, err := p.claim(ctx, code, name)
	if err == nil {
		err = p.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("claiming an API key: %w", err)
	}
	return out, nil
}

func (p *People) claim(ctx context.Context, text, name string) (Claimed, error) {
	code, ok := access.ParseCode(text)
	if !ok {
		return Claimed{}, ErrNotFound
	}
	var at access.Standing
	err := p.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		at, err = p.cfg.Door.Authority().Coded(r, code)
		return err
	})
	if errors.Is(err, access.ErrUnknownKey) {
		err = ErrNotFound
	}
	if err == nil {
		err = checkName(name)
	}
	if err != nil {
		return Claimed{}, err
	}
	if !at.Name.IsZero() {
		name = ""
	} else if err := p.nameOfFounder(ctx, at, name); err != nil {
		return Claimed{}, err
	}
	key, err := access.NewAPIKey(p.cfg.Rand)
	if err != nil {
		return Claimed{}, err
	}
	sealed, err := p.sealName(ctx, at.Tenant, at.Principal, name)
	if err != nil {
		return Claimed{}, err
	}
	var out Claimed
	decide := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		var events []journal.Event
		var err error
		if out, events, err = p.redeem(view, guard, code, key); err != nil {
			return journal.Change{}, err
		}
		if out.named {
			return journal.Change{Events: events}, nil // somebody has given it a name meanwhile
		}
		return sealed.change(events...), nil
	}
	_, err = rekey.CommitRow(ctx, p.cfg.Door, p.cfg.Keys, at.Who, &sealed.row, decide)
	if errors.Is(err, access.ErrUnknownKey) {
		err = ErrNotFound
	}
	if err != nil {
		return Claimed{}, err
	}
	if out.Principal.Name = name; out.named {
		out.Principal.Name = p.nameOf(ctx, at.Who)
	}
	return out, nil
}

// redeem decides about a claim.
func (p *People) redeem(view journal.View, guard *access.Guard, code access.Code, key access.APIKey) (Claimed,
	[]journal.Event, error) {
	s, err := guard.Redeem(code)
	if err != nil {
		return Claimed{}, nil, err
	}
	tenancy, err := guard.Tenancy()
	if err == nil {
		err = redeemable(view, s, tenancy.Founding)
	}
	if err != nil {
		return Claimed{}, nil, err
	}
	digest := key.Digest()
	events := []journal.Event{access.KeyAdded.New(journal.ID{},
		access.KeyAddedData{Principal: s.Principal, Digest: digest[:], Claimed: true})}
	out := Claimed{
		Key: key, InForce: tenancy.Trial && !tenancy.Founding.Has(s.Principal), named: !s.Name.IsZero(),
	}
	if tenancy.Founding.Has(s.Principal) {
		other, _, err := p.cfg.Door.Authority().Standing(view, tenancy.Founding.Other(s.Who))
		if err != nil {
			return Claimed{}, nil, err
		}
		if len(other.Keys) > 0 {
			out.Founded, out.InForce = true, true
			events = append(events, access.TenantFounded.New(journal.ID{}, access.TenantFoundedData{
				Administrator: tenancy.Founding.Administrator, Approver: tenancy.Founding.Approver,
			}))
		}
	}
	out.Principal = describe(s, "")
	out.Principal.Keys = append(out.Principal.Keys, PrincipalKey{
		Fingerprint: key.Fingerprint(), Added: view.Now(), Approved: out.InForce,
	})
	return out, events, nil
}

// redeemable says whether the code of a principal can be used now: access.ErrUnknownKey when it has lapsed. The codes
// of a recovery wait and lapse by settled time, as the recovery waits by it.
func redeemable(view journal.View, s access.Standing, founding *access.Founding) error {
	lapsed := !view.Now().Before(s.Code)
	if founding.Has(s.Principal) && !founding.NotBefore.IsZero() {
		if view.Settled().Before(founding.NotBefore) {
			return approval.ErrWaiting
		}
		lapsed = !view.Settled().Before(founding.Lapses)
	}
	if lapsed {
		return access.ErrUnknownKey
	}
	return nil
}

// nameOfFounder says whether a founder may be called so: the two have names, and not the same one.
func (p *People) nameOfFounder(ctx context.Context, at access.Standing, name string) error {
	var other access.Standing
	err := p.cfg.Journal.View(ctx, func(r journal.Reader) error {
		tenancy, err := p.cfg.Door.Authority().Tenancy(r, at.Tenant)
		if err == nil && !tenancy.Founding.Has(at.Principal) {
			return nil
		}
		if err == nil && name == "" {
			err = &invalid.Field{Name: "name", Reason: "is missing: say what you are called"}
		}
		if err == nil {
			other, _, err = p.cfg.Door.Authority().Standing(r, tenancy.Founding.Other(at.Who))
		}
		return err
	})
	if err == nil && name != "" && p.openNames(ctx, at.Tenant, []access.Standing{other})[other.Principal] == name {
		err = &invalid.Field{Name: "name", Reason: "is that of the other founder: a founding takes two people"}
	}
	return err
}
