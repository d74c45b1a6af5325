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
	// lockAfter is how long after a deposit the duty is due: the upload's own lock holds for a day, so a busy hour of
	// deposits need not wait for its locks as well.
	lockAfter = time.Hour
	// rollingLock is how long an object is locked at a time while its retention date is not known.
	rollingLock = 90 * 24 * time.Hour
	// rollAgain is when such a lock is extended.
	rollAgain = 60 * 24 * time.Hour
	// lockBatch is how many locks one event settles, the most that it can: a million documents take a thousand events
	// each time that their locks are rolled.
	lockBatch = 1000
	lockEvery = 5 * time.Second
	// lockTime is how long a batch may take. The next batch takes the rest: the lease of the duty ends after a minute.
	lockTime = 45 * time.Second
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

// lock extends the locks of a batch of documents: to the retention date, or forward while there is none. A lock that
// fails stays due and holds up no other. After several failures in a row the whole store seems to fail, and the batch
// ends, because the rest would only wait in vain.
func (v *Vault) lock(ctx context.Context, due []journal.Duty) ([]journal.Done, error) {
	ctx, stop := context.WithTimeout(ctx, lockTime)
	defer stop()
	rows, err := v.lockRows(ctx, due)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var done []journal.Done
	var failed []error
	away := 0 // so many in a row say that the store is
	lockOne := func(i int) error {
		again, err := v.lockOne(ctx, due[i], rows[i])
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			done, away = append(done, journal.Done{Duty: due[i], Again: again}), 0
			return nil
		}
		if ctx.Err() == nil {
			failed = append(failed, fmt.Errorf("locking the content of document %s: %w", due[i].Doc, err))
		}
		if errors.Is(err, objects.ErrUnavailable) {
			if away++; away >= 2*storeCalls {
				return err
			}
		}
		return nil
	}
	if err := inParallel(ctx, fromBothEnds(len(due)), lockOne); err != nil && len(failed) == 0 && len(done) == 0 {
		failed = append(failed, err) // it has run out of time
	}
	return done, errors.Join(failed...)
}

// fromBothEnds are the places of a batch, the last and the first by turns. Documents that the store refuses each time
// gather at the front; the newer ones behind them, whose locks are short, must have their turn.
func fromBothEnds(n int) (places []int) {
	for first, last := 0, n-1; first <= last; first, last = first+1, last-1 {
		if places = append(places, last); first < last {
			places = append(places, first)
		}
	}
	return places
}

// lockRows reads the rows of the documents that are due.
func (v *Vault) lockRows(ctx context.Context, due []journal.Duty) ([]document, error) {
	rows := make([]document, len(due))
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		for i, duty := range due {
			if rows[i], _, err = stored(r, duty.Doc); err != nil {
				return fmt.Errorf("document %s: %w", duty.Doc, err)
			}
		}
		return nil
	})
	return rows, err
}

// lockOne locks one document's object and says when to do so again. An object that is missing is not this duty's alarm
// to raise: reads and fixity checks do.
func (v *Vault) lockOne(ctx context.Context, duty journal.Duty, row document) (time.Time, error) {
	if row.Erased {
		return time.Time{}, nil
	}
	now := v.cfg.Clock.Now()
	until, again := now.Add(rollingLock), now.Add(rollAgain)
	if row.RetainUntil != 0 {
		until, again = time.Unix(row.RetainUntil, 0).UTC(), time.Time{}
		if !until.After(now) {
			return again, nil // there is nothing left to lock, and stores refuse a date that has passed
		}
	}
	err := v.cfg.Objects.Retain(ctx, row.Object.Key, row.Object.Version, until)
	switch {
	case errors.Is(err, objects.ErrLocked): // until a later date already
		err = nil
	case errors.Is(err, objects.ErrNotFound):
		v.cfg.Log.Error("stored content is missing", "document", duty.Doc.String())
		again, err = now.Add(rollAgain), nil
	}
	return again, err
}
