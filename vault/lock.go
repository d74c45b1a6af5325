package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

const (
	// lockDuty is the duty to keep a document's object locked.
	lockDuty = "lock"
	// lockAfter is how long after an upload has begun the duty is due: the upload's own lock holds for a day, so a busy
	// hour of deposits need not wait for its locks as well.
	lockAfter = time.Hour
	// lockLatest is how long before the end of the upload's own lock the duty is due at the latest.
	lockLatest = uploadLock / 2
	// rollingLock is how long an object is locked at a time while its retention date is not known.
	rollingLock = 90 * 24 * time.Hour
	// rollAgain is when such a lock is extended.
	rollAgain = 60 * 24 * time.Hour
	// lockBatch is how many locks one event settles, the most that it can: a million documents take a thousand events
	// each time that their locks are rolled.
	lockBatch = 1000
	lockEvery = 5 * time.Second
)

// workLocks performs the lock duty until ctx ends.
func (v *Vault) workLocks(ctx context.Context) {
	if err := v.cfg.Journal.Work(ctx, v.lockWorker()); err != nil && ctx.Err() == nil {
		v.cfg.Log.Error("the lock duty has ended", "error", err)
	}
}

// lockDue is when the lock duty is due of an object that its upload has locked, and whose deposit is committed now. It
// goes by the end of that lock, which is the store's: the journal's time may be far ahead of the clock.
func lockDue(locked, now time.Time) time.Time {
	due := locked.Add(lockAfter - uploadLock)
	if now.After(due) { // the upload took long
		due = now
	}
	if latest := locked.Add(-lockLatest); due.After(latest) {
		due = latest
	}
	return due
}

func (v *Vault) lockWorker() journal.Worker {
	return journal.Worker{Kind: lockDuty, Batch: lockBatch, Every: lockEvery, Do: v.lock}
}

// lock extends the locks of a batch of documents: to the retention date, or forward while there is none. After several
// failures in a row the whole store seems to be away, and the batch ends, because the rest would only wait in vain.
func (v *Vault) lock(ctx context.Context, due []journal.Duty) ([]journal.Outcome, error) {
	rows, err := v.dutyRows(ctx, due)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var outcomes []journal.Outcome
	away := 0 // so many in a row say that the store is
	err = inParallel(ctx, rows, func(row dutyRow) error {
		again, err := v.lockOne(ctx, row)
		if err != nil {
			err = fmt.Errorf("locking the content of document %s: %w", row.Doc, err)
		}
		mu.Lock()
		defer mu.Unlock()
		outcomes = append(outcomes, journal.Outcome{Duty: row.Duty, Again: again, Failed: err})
		if !errors.Is(err, objects.ErrUnavailable) {
			away = 0
		} else if away++; away >= 2*storeCalls {
			return err
		}
		return nil
	})
	if len(outcomes) > 0 {
		err = nil // each says for itself what is wrong
	}
	return outcomes, err
}

// dutyRow is a duty with the row of its document, or why that cannot be read.
type dutyRow struct {
	journal.Duty
	document
	err error
}

// dutyRows reads the rows of the documents that duties are about. A row that cannot be read holds up no other.
func (v *Vault) dutyRows(ctx context.Context, due []journal.Duty) ([]dutyRow, error) {
	rows := make([]dutyRow, len(due))
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) error {
		for i, duty := range due {
			row, ok, err := documents.Get(r, duty.Doc[:])
			if err == nil && !ok {
				err = ErrNotFound
			}
			rows[i] = dutyRow{Duty: duty, document: row, err: err}
		}
		return ctx.Err()
	})
	return rows, err
}

// lockOne locks one document's object and says when to do so again. An object that is missing is not this duty's alarm
// to raise: reads and fixity checks do.
func (v *Vault) lockOne(ctx context.Context, row dutyRow) (time.Time, error) {
	if row.err != nil || row.Erased {
		return time.Time{}, row.err
	}
	now := v.cfg.Clock.Now()
	until, again := now.Add(rollingLock), now.Add(rollAgain)
	if row.RetainUntil != 0 {
		until, again = time.Unix(row.RetainUntil, 0).UTC(), time.Time{}
		if !until.After(now) {
			return again, v.passed(ctx, row)
		}
	}
	err := v.cfg.Objects.Retain(ctx, row.Object.Key, row.Object.Version, until)
	switch {
	case errors.Is(err, objects.ErrLocked): // until a later date already
		err = nil
	case errors.Is(err, objects.ErrNotFound):
		v.cfg.Log.Error("stored content is missing", "document", row.Doc.String())
		again, err = now.Add(rollAgain), nil
	}
	return again, err
}

// passed ends the duty of a document whose retention date has passed: there is nothing left to lock, and stores refuse
// such a date. A store that goes by its own clock answers only a request that is signed by nearly the same, so it is
// asked about the object first: a clock that is ahead must not end the duty.
func (v *Vault) passed(ctx context.Context, row dutyRow) error {
	_, err := v.cfg.Objects.Stat(ctx, row.Object.Key, row.Object.Version)
	if errors.Is(err, objects.ErrNotFound) {
		return nil
	}
	return err
}
