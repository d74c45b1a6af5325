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
// Errors: those of step; access.ErrDenied; access.ErrUnreleased, together with the proposal, when it is on record and
// in force, but no locked checkpoint covers it in time.
func Commit[P any](ctx context.Context, door *access.Door, who access.Who, a access.Action, step Step[P]) (P, error) {
	proposal, err := Decide(ctx, door, who, a, step)
	if err == nil {
		err = door.Kept(ctx)
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
