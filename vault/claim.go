package vault

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/rekey"
)

// Claimed is what somebody gets for a one-time code.
type Claimed struct {
	Principal Principal
	Key       access.APIKey // shown once and stored nowhere
	Founded   bool          // this claim has ended the founding of the tenant, or a recovery
	InForce   bool          // the key speaks for the principal; else it waits for an approval, or the other founder
}

// Claim draws an API key for the principal that a one-time code is for. The code is spent, and no other credential is
// needed; name is what the person is called, where the principal has no name yet. The claim of the second founder ends
// a founding.
//
// Errors: ErrNotFound for any code that is not open; a *invalid.Field for the name; approval.ErrWaiting, in a recovery
// whose waiting period has not ended; access.ErrUnreleased, together with what was claimed.
func (v *Vault) Claim(ctx context.Context, code, name string) (Claimed, error) {
	out, err := v.claim(ctx, code, name)
	if err == nil {
		err = v.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("claiming an API key: %w", err)
	}
	return out, nil
}

func (v *Vault) claim(ctx context.Context, text, name string) (Claimed, error) {
	code, ok := access.ParseCode(text)
	if !ok {
		return Claimed{}, ErrNotFound
	}
	var at access.Standing
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		at, err = v.cfg.Door.Authority().Coded(r, code)
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
	}
	key, err := access.NewAPIKey(v.cfg.Rand)
	if err != nil {
		return Claimed{}, err
	}
	sealed, err := v.sealName(ctx, at.Tenant, at.Principal, name)
	if err != nil {
		return Claimed{}, err
	}
	var out Claimed
	decide := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		var events []journal.Event
		var err error
		if out, events, err = v.redeem(view, guard, code, key); err != nil {
			return journal.Change{}, err
		}
		return sealed.change(events...), nil
	}
	_, err = rekey.CommitRow(ctx, v.cfg.Door, v.cfg.Keys, at.Who, &sealed.row, decide)
	if errors.Is(err, access.ErrUnknownKey) {
		err = ErrNotFound
	}
	if err != nil {
		return Claimed{}, err
	}
	if out.Principal.Name = name; name == "" {
		out.Principal.Name = v.openNames(ctx, at.Tenant, []access.Standing{at})[at.Principal]
	}
	return out, nil
}

// redeem decides about a claim.
func (v *Vault) redeem(view journal.View, guard *access.Guard, code access.Code, key access.APIKey) (Claimed,
	[]journal.Event, error) {
	s, err := guard.Redeem(code, view.Now())
	if err != nil {
		return Claimed{}, nil, err
	}
	tenancy, err := guard.Tenancy()
	if err != nil {
		return Claimed{}, nil, err
	}
	founder := tenancy.Founding.Has(s.Principal)
	if founder && settled(view).Before(tenancy.Founding.NotBefore) {
		return Claimed{}, nil, approval.ErrWaiting
	}
	digest := key.Digest()
	events := []journal.Event{access.KeyAdded.New(journal.ID{},
		access.KeyAddedData{Principal: s.Principal, Digest: digest[:], Claimed: true})}
	out := Claimed{Key: key, InForce: tenancy.Trial && !founder}
	if founder {
		other := tenancy.Founding.Administrator
		if other == s.Principal {
			other = tenancy.Founding.Approver
		}
		first, known, err := v.cfg.Door.Authority().Standing(view, access.Who{Tenant: s.Tenant, Principal: other})
		if err != nil {
			return Claimed{}, nil, err
		}
		if known && len(first.Keys) > 0 {
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
