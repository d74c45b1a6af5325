package access

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
)

// Keeper keeps the journal's newest signed checkpoint under a lock outside, where nobody who puts back the database and
// the release bucket can put it back, too.
type Keeper interface {
	// Keep returns nil only when a locked checkpoint covers the first size entries of the journal.
	Keep(ctx context.Context, size uint64) error
}

var errNoKeeper = errors.New("nothing keeps the journal's checkpoints outside")

// KeepWith names the keeper that Kept asks. The caller of NewDoor does so before the first act: the keeper is made of
// the journal and the store, and may come after what needs the door.
func (d *Door) KeepWith(k Keeper) { d.keeper = k }

// Kept waits until a locked checkpoint outside covers all that is on record now: ErrUnreleased, as long as it is only
// here, because what releases, signs or locks does not do so in time. An act of authority (a grant, a revocation, an
// approval) is not confirmed before that, since without it a copy of yesterday could take its place and nobody would
// notice. It rules from its commit in any case. An act that cannot be undone does not begin before that.
//
// It is about all that is on record, so that a repeated act, which has nothing to record any more, waits for the first.
// A journal that has started without the key service is not waited for. On a journal that has stopped the error is no
// ErrUnreleased: another process may have gone on without the act.
func (d *Door) Kept(ctx context.Context) error {
	// A caller that hangs up does not break off a write that others wait for, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.ReleaseWait)
	defer cancel()
	err := d.keep(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrStopped):
		return fmt.Errorf("waiting for a locked checkpoint: %w", err)
	}
	if d.cfg.Log != nil {
		d.cfg.Log.Warn("an act is on record and in force, and no locked checkpoint covers it yet; "+
			"it will have one when the release bucket, the key service and the documents' store work", "error", err)
	}
	return fmt.Errorf("%w: %w", ErrUnreleased, err)
}

// keep sees to it that a locked checkpoint covers what is on record.
func (d *Door) keep(ctx context.Context) error {
	switch {
	case d.keeper == nil:
		return errNoKeeper
	case d.cfg.Journal.Provisional():
		return journal.ErrKeysUnavailable
	}
	size := d.cfg.Journal.Size()
	if err := d.cfg.Journal.Shipped(ctx, journal.Receipt{Index: size - 1}); err != nil { // which a damaged one is not
		return err
	}
	return d.keeper.Keep(ctx, size)
}
