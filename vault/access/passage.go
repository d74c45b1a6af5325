package access

import (
	"context"

	"muniment/anchor/journal"
)

// Passage is the door for one act of the whole tenant, in the form that packages below this one state: they know the
// actors that stand in bodies, and no principals.
type Passage struct {
	door   *Door
	action Action
}

// For is the door for one act.
func (d *Door) For(a Action) Passage { return Passage{door: d, action: a} }

// Act commits what decide returns if the actor is a principal that may do the act: ErrDenied.
func (p Passage) Act(ctx context.Context, actor journal.Actor,
	decide func(journal.View) (journal.Change, error)) (journal.Receipt, error) {
	who, err := principalOf(actor)
	if err != nil {
		return journal.Receipt{}, err
	}
	return p.door.Act(ctx, who, p.action, decide)
}

// Permit says whether the actor is a principal that may do the act: ErrDenied.
func (p Passage) Permit(ctx context.Context, actor journal.Actor) error {
	who, err := principalOf(actor)
	if err != nil {
		return err
	}
	return p.door.Permit(ctx, who, p.action)
}

// principalOf is the principal that an actor names. Workers and the founding are actors too, and may do nothing here.
func principalOf(actor journal.Actor) (Who, error) {
	id, err := journal.ParseID(actor.ID)
	if err != nil {
		return Who{}, ErrDenied
	}
	return Who{Tenant: actor.Tenant, Principal: id}, nil
}
