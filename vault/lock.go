package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

const (
	// lockDuty is the duty to keep a document's object locked.
	lockDuty = "lock"
	// lockAfter is how long after a deposit the duty is due: the upload's own lock holds for a day, so a busy hour of deposits
	// need not wait for its locks as well.
	lockAfter = time.Hour
	// rollingLock is how long an object is locked at a time while its retention date is not known.
	rollingLock = 90 * 24 * time.Hour
	// rollAgain is when such a lock is extended.
	rollAgain = 60 * 24 * time.Hour
	lockBatch = 256
	lockEvery = 5 * time.Second
)

// workLocks performs the lock duty until ctx ends.
func (v *Vault) workLocks(ctx context.Context) {
	if err := v.cfg.Journal.Work(ctx, v.lockWorker()); err != nil && ctx.Err() == nil {
		v.cfg.Log.Error("the lock duty has ended", "error", err)
	}
}

func (v *Vault) lockWorker() journal.Worker {
	return journal.Worker{Kind: lockDuty, Batch: lockBatch, Every: lockEvery, Do: v.lock}
}

// lock extends the locks of a batch of documents: to the retention date, or forward while there is none. One that fails stays
// due and holds up no other.
func (v *Vault) lock(ctx context.Context, due []journal.Duty) ([]journal.Done, error) {
	var done []journal.Done
	var failed []error
	for _, duty := range due {
		again, err := v.lockOne(ctx, duty.Doc)
		if err != nil {
			failed = append(failed, fmt.Errorf("locking the content of document %s: %w", duty.Doc, err))
			continue
		}
		done = append(done, journal.Done{Duty: duty, Again: again})
	}
	return done, errors.Join(failed...)
}

// lockOne locks one document's object and says when to do so again. An object that is missing is not this duty's alarm to
// raise: reads and fixity checks do.
func (v *Vault) lockOne(ctx context.Context, id journal.ID) (time.Time, error) {
	var row document
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		row, _, err = stored(r, id)
		return err
	})
	if err != nil || row.Erased {
		return time.Time{}, err
	}
	now := v.cfg.Clock.Now()
	until, again := now.Add(rollingLock), now.Add(rollAgain)
	if row.RetainUntil != 0 {
		until, again = time.Unix(row.RetainUntil, 0).UTC(), time.Time{}
	}
	err = v.cfg.Objects.Retain(ctx, row.Object.Key, row.Object.Version, until)
	switch {
	case errors.Is(err, objects.ErrLocked): // until a later date already
		err = nil
	case errors.Is(err, objects.ErrNotFound):
		v.cfg.Log.Error("stored content is missing", "document", id.String())
		again, err = now.Add(rollAgain), nil
	}
	return again, err
}
