package people

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/invalid"
)

// GrantProposal is a proposal that widens the power of a principal, and what has become of it. An approver says yes to
// all of it: the principal has the grants After, and all of Keys speak for it.
type GrantProposal struct {
	ID        journal.ID // zero on trial, where nobody has to approve
	Principal journal.ID
	Name      string // of the principal; "" for none, or for one that could not be opened now
	Before    []access.Grant
	After     []access.Grant
	Keys      []access.Fingerprint
	Digest    []byte // access.Standing.Digest
	State     approval.State
	approval.Proposal
}

// grantProposal describes the proposal that is open for a principal, or was approved last.
func grantProposal(s access.Standing, now time.Time) GrantProposal {
	out := GrantProposal{
		ID: s.Approved, Principal: s.Principal, Before: s.Grants, After: s.After(), Digest: s.Digest(),
		State: approval.Done,
	}
	for _, key := range s.Keys {
		out.Keys = append(out.Keys, access.FingerprintOf(key.Digest))
	}
	if p := s.Proposed; p != nil {
		out.ID = p.ID
		out.Proposal = approval.Proposal{
			Proposer: p.Proposer, Proposed: p.Proposed, NotBefore: p.Proposed, Lapses: p.Lapses,
		}
		out.State = out.Proposal.State(now, false)
	}
	return out
}

// propose makes the proposal of further grants for a principal, and its event.
func propose(who access.Who, s access.Standing, id journal.ID, add []access.Grant, now time.Time) (GrantProposal,
	journal.Event) {
	terms := grantTerms.Propose(who.Actor().ID, now)
	s.Proposed = &access.Proposed{
		ID: id, Proposer: terms.Proposer, Proposed: terms.Proposed, Lapses: terms.Lapses, Grants: add,
	}
	return grantProposal(s, now), access.GrantsProposed.New(journal.ID{}, access.GrantsProposedData{
		ID: id, Principal: s.Principal, Grants: add, Lapses: terms.Lapses,
	})
}

// ProposeGrants proposes that a principal of who's tenant has further grants, and that all keys which it has when
// somebody approves speak for it; access.ManageUsers is needed, and nobody widens their own power. Without further
// grants it is about keys alone. It takes the place of an earlier proposal for the principal; the same again returns
// the one that is open. On trial the grants are given at once, by one person.
//
// Errors: a *invalid.Field for grants; ErrNotFound; ErrNoSeries; ErrRoles; approval.ErrOwnRequest; access.ErrDenied;
// access.ErrUnreleased, together with the proposal.
func (p *People) ProposeGrants(ctx context.Context, who access.Who, principal journal.ID,
	add []access.Grant) (GrantProposal, error) {
	err := CheckGrants(add)
	if err != nil {
		return GrantProposal{}, fmt.Errorf("proposing grants: %w", err)
	}
	id, err := p.newID()
	if err != nil {
		return GrantProposal{}, fmt.Errorf("proposing grants: %w", err)
	}
	var out GrantProposal
	var s access.Standing
	_, err = p.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		var err error
		if s, err = p.managed(view, guard, principal); err != nil {
			return journal.Change{}, err
		}
		if err := p.grantable(view, who.Tenant, s.Grants, add); err != nil {
			return journal.Change{}, err
		}
		tenancy, err := guard.Tenancy()
		if err != nil {
			return journal.Change{}, err
		}
		further := slices.DeleteFunc(slices.Clone(add), func(g access.Grant) bool {
			return slices.Contains(s.Grants, g)
		})
		if tenancy.Trial {
			before := s.Grants
			s.Grants = access.Union(before, further)
			out = grantProposal(s, view.Settled())
			out.Before = before
			if len(further) == 0 {
				return journal.Change{}, nil
			}
			return journal.Change{Events: []journal.Event{access.GrantsGiven.New(journal.ID{},
				access.GrantsGivenData{Principal: principal, Grants: further})}}, nil
		}
		waiting := slices.ContainsFunc(s.Keys, func(key access.Key) bool { return !key.Speaks })
		if len(further) == 0 && !waiting {
			return journal.Change{}, &invalid.Field{Name: "grants",
				Reason: "are nothing that the principal does not have, and none of its keys waits for an approval"}
		}
		if p := s.Proposed; p != nil && view.Settled().Before(p.Lapses) && p.Proposer == who.Actor().ID &&
			slices.Equal(p.Grants, further) {
			out = grantProposal(s, view.Settled())
			return journal.Change{}, nil
		}
		var event journal.Event
		out, event = propose(who, s, id, further, view.Settled())
		return journal.Change{Events: []journal.Event{event}}, nil
	})
	if err == nil {
		out.Name = p.openNames(ctx, who.Tenant, []access.Standing{s})[principal]
		err = p.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("proposing grants: %w", err)
	}
	return out, nil
}

// ApproveGrants approves a proposal that somebody else has made, which is in force from then on; access.ApproveGrants
// is needed. The approver may not be the one whose power it widens. digest is that of the proposal as the approver has
// seen it.
//
// Errors: ErrNoProposal; ErrChanged, when it is not any more what the approver has seen; ErrNoKey, when the person has
// not claimed a key yet; ErrRoles; approval.ErrOwnRequest; approval.ErrOver; approval.ErrTrial; access.ErrDenied;
// access.ErrUnreleased, together with the proposal.
func (p *People) ApproveGrants(ctx context.Context, who access.Who, id journal.ID, digest []byte) (GrantProposal,
	error) {
	out, err := approval.Commit(ctx, p.cfg.Door, who, access.ApproveGrants,
		func(view journal.View) (GrantProposal, []journal.Event, error) {
			s, out, err := p.proposal(view, who.Tenant, id)
			if err != nil || out.State == approval.Done {
				return out, nil, err
			}
			if err := p.approvable(view, who, s, out); err != nil {
				return out, nil, err
			}
			if subtle.ConstantTimeCompare(digest, out.Digest) != 1 {
				return out, nil, ErrChanged
			}
			data := access.GrantsApprovedData{ID: id, Principal: s.Principal, Grants: out.After, Digest: out.Digest}
			for _, key := range s.Keys {
				data.Keys = append(data.Keys, key.Digest)
			}
			out.State, out.Approver, out.Approved, out.Done = approval.Done, who.Actor().ID, view.Now(), view.Now()
			return out, []journal.Event{access.GrantsApproved.New(journal.ID{}, data)}, nil
		})
	if err != nil {
		return out, fmt.Errorf("approving grants: %w", err)
	}
	return out, nil
}

// proposal finds a proposal of grants, open or approved: ErrNoProposal.
func (p *People) proposal(view journal.View, tenant string, id journal.ID) (access.Standing, GrantProposal, error) {
	s, known, err := p.cfg.Door.Authority().Proposal(view, tenant, id)
	if err != nil {
		return s, GrantProposal{}, err
	}
	if !known || id.IsZero() {
		return s, GrantProposal{}, ErrNoProposal
	}
	if s.Approved == id { // whatever else is proposed since
		s.Proposed = nil
	}
	return s, grantProposal(s, view.Settled()), nil
}

// approvable says whether who may approve a proposal as it is now.
func (p *People) approvable(view journal.View, who access.Who, s access.Standing, open GrantProposal) error {
	state, err := approval.Standing(view, p.cfg.Door.Authority(), who.Tenant, open.Proposal, open.State,
		access.ManageUsers,
		access.ApproveGrants)
	if err == nil {
		_, err = grantTerms.Approve(open.Proposal, state, who.Actor().ID, view.Settled())
	}
	switch {
	case err != nil:
		return err
	case who.Principal == s.Principal:
		return approval.ErrOwnRequest
	case len(s.Keys) == 0:
		return ErrNoKey
	}
	return p.grantable(view, who.Tenant, nil, open.After)
}

// DeclineGrants ends a proposal without an approval; access.ManageUsers or access.ApproveGrants is needed.
//
// Errors: ErrNoProposal; approval.ErrOver when it was approved; access.ErrDenied; access.ErrUnreleased.
func (p *People) DeclineGrants(ctx context.Context, who access.Who, id journal.ID) (GrantProposal, error) {
	var out GrantProposal
	_, err := p.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		err := eitherAct(guard, access.ApproveGrants, access.ManageUsers)
		if err != nil {
			return journal.Change{}, err
		}
		var s access.Standing
		if s, out, err = p.proposal(view, who.Tenant, id); err == nil && out.State == approval.Done {
			err = approval.ErrOver
		}
		if err != nil {
			return journal.Change{}, err
		}
		out.State = approval.Declined
		return journal.Change{Events: []journal.Event{access.GrantsDeclined.New(journal.ID{},
			access.GrantsDeclinedData{ID: id, Principal: s.Principal})}}, nil
	})
	if err == nil {
		err = p.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("declining grants: %w", err)
	}
	return out, nil
}

// eitherAct says whether the principal may do one of two acts in the whole tenant. A refusal is one of the first.
func eitherAct(guard *access.Guard, one, other access.Action) error {
	p, err := guard.Permission(other)
	if err != nil || p.All {
		return err
	}
	return guard.Authorize(one, access.Scope{}, journal.ID{})
}

// GrantProposals lists the proposals of who's tenant that are open or have lapsed, in the order in which their
// principals were created; access.ViewUsers is needed.
func (p *People) GrantProposals(ctx context.Context, who access.Who) ([]GrantProposal, error) {
	var standings []access.Standing
	err := p.cfg.Door.Consult(ctx, who, access.ConsultedPrincipals, viewsUsers)
	var now time.Time
	if err == nil {
		now, err = p.cfg.Journal.Settled(ctx)
	}
	if err == nil {
		err = p.cfg.Journal.View(ctx, func(r journal.Reader) error {
			all, err := p.cfg.Door.Authority().Standings(r, who.Tenant)
			standings = slices.DeleteFunc(all, func(s access.Standing) bool { return s.Proposed == nil })
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("listing proposals of grants: %w", err)
	}
	names := p.openNames(ctx, who.Tenant, standings)
	out := make([]GrantProposal, len(standings))
	for i, s := range standings {
		out[i] = grantProposal(s, now)
		out[i].Name = names[s.Principal]
	}
	return out, nil
}

// RevokeGrants takes grants from a principal of who's tenant, and returns how it stands then; access.ManageUsers is
// needed. Grants that it does not have are passed over. Nobody can revoke their own, so that a tenant is not left
// without anybody who could give them again.
//
// Errors: ErrNotFound; approval.ErrOwnRequest; access.ErrDenied; access.ErrUnreleased, together with the principal.
func (p *People) RevokeGrants(ctx context.Context, who access.Who, principal journal.ID,
	grants []access.Grant) (Principal, error) {
	var s access.Standing
	_, err := p.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		var err error
		if s, err = p.managed(view, guard, principal); err != nil {
			return journal.Change{}, err
		}
		var gone, kept []access.Grant
		for _, g := range s.Grants {
			if slices.Contains(grants, g) {
				gone = append(gone, g)
			} else {
				kept = append(kept, g)
			}
		}
		s.Grants = kept
		if len(gone) == 0 {
			return journal.Change{}, nil
		}
		return journal.Change{Events: []journal.Event{access.GrantsRevoked.New(journal.ID{},
			access.GrantsRevokedData{Principal: principal, Grants: gone})}}, nil
	})
	var out Principal
	if err == nil {
		out = describe(s, p.openNames(ctx, who.Tenant, []access.Standing{s})[principal])
		err = p.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("revoking grants: %w", err)
	}
	return out, nil
}
