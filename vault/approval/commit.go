package approval

import (
	"context"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// Step decides a step of a proposal. It returns the user's proposal as it is then, and nothing to put on record when it
// is that already.
type Step[P any] func(journal.View) (P, []journal.Event, error)

// Commit commits a step by who, who may do a in the whole tenant, and waits until a locked checkpoint covers it: nobody
// can put back a copy without it unnoticed. That holds for a step that was on record already, too: who repeats it may
// do so because it was not covered in time.
//
// Errors: those of step; access.ErrDenied; ErrTrial; access.ErrUnreleased, together with the proposal, when it is on
// record and in force, but no locked checkpoint covers it in time.
func Commit[P any](ctx context.Context, door *access.Door, who access.Who, a access.Action, step Step[P]) (P, error) {
	proposal, err := Decide(ctx, door, who, a, step)
	if err == nil {
		err = door.Kept(ctx)
	}
	return proposal, err
}

// Standing is the state of a proposal as its people stand now, given the one that it has by itself: an approval counts
// only as long as whoever gave it may give it, and a proposal is open only as long as whoever made it may make it.
func Standing(r journal.Reader, people *access.Authority, tenant string, p Proposal, state State,
	propose, approve access.Action) (State, error) {
	may := func(actor string, a access.Action) (bool, error) {
		id, err := journal.ParseID(actor)
		if err != nil {
			return false, nil
		}
		permission, err := people.Permission(r, access.Who{Tenant: tenant, Principal: id}, a)
		return permission.All, err
	}
	if state.Open() {
		if ok, err := may(p.Proposer, propose); err != nil || !ok {
			return Lapsed, err
		}
	}
	if state == Approved {
		if ok, err := may(p.Approver, approve); err != nil || !ok {
			return Proposed, err
		}
	}
	return state, nil
}

// Decide commits a step, and does not wait. ErrTrial in a tenant that is not founded yet.
func Decide[P any](ctx context.Context, door *access.Door, who access.Who, a access.Action,
	step Step[P]) (proposal P, err error) {
	_, err = door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		if err := guard.Authorize(a, access.Scope{}, journal.ID{}); err != nil {
			return journal.Change{}, err
		}
		tenancy, err := guard.Tenancy()
		if err == nil && tenancy.Founded.IsZero() {
			err = ErrTrial
		}
		if err != nil {
			return journal.Change{}, err
		}
		var events []journal.Event
		proposal, events, err = step(view)
		return journal.Change{Events: events}, err
	})
	return proposal, err
}
