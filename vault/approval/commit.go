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
