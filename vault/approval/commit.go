package approval

import (
	"context"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// Step decides a step of a proposal. It returns the user's proposal as it is then, and nothing to put on record when it
// is that already.
type Step[P any] func(journal.View) (P, []journal.Event, error)

// Commit commits a step by who, who may do a in the whole tenant, and waits until it is shipped: it will survive the
// loss of this machine. That holds for a step that was on record already, too: who repeats it may do so because it was
// not shipped in time.
//
// Errors: those of step; access.ErrDenied; access.ErrUnreleased when it is on record, but not shipped in time.
func Commit[P any](ctx context.Context, door *access.Door, who access.Who, a access.Action, step Step[P]) (P, error) {
	proposal, err := Decide(ctx, door, who, a, step)
	if err == nil {
		err = door.Shipped(ctx)
	}
	return proposal, err
}

// Decide commits a step, and does not wait.
func Decide[P any](ctx context.Context, door *access.Door, who access.Who, a access.Action,
	step Step[P]) (proposal P, err error) {
	_, err = door.Act(ctx, who, a, func(view journal.View) (journal.Change, error) {
		var events []journal.Event
		var err error
		proposal, events, err = step(view)
		return journal.Change{Events: events}, err
	})
	return proposal, err
}
