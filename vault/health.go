package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

const (
	// tryEvery is how often at most a check puts an object where documents go.
	tryEvery = time.Minute
	// locksLate is how long a lock may be overdue before it counts as behind. The upload's own lock holds for a day.
	locksLate = time.Hour
	// maxCount is where counts for health end: more says nothing more.
	maxCount = 10_000
)

// puts is how the last writes to the documents' store have ended.
type puts struct {
	mu     sync.Mutex
	failed error     // of the last one; nil when it succeeded
	tried  time.Time // when a check last put an object
}

// note notes how a put has ended.
func (p *puts) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = err
}

// due says whether it is time to put an object, and if not, how the last put has ended, as far as that still counts.
func (p *puts) due(now time.Time) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.tried); age >= tryEvery || age < 0 {
		p.tried = now
		return true, nil
	}
	return false, p.failed
}

// CheckKeys says whether the key service can wrap and unwrap now; an error names it.
func (v *Vault) CheckKeys(ctx context.Context) error {
	if err := v.cfg.Keys.Check(ctx); err != nil {
		return fmt.Errorf("checking the key service: %w", err)
	}
	return nil
}

// CheckObjects says whether the documents' store can be written and read now; an error names it. Once a minute it does
// what a deposit does, and puts an object where documents go; in between, the last put counts, a deposit's or its own.
func (v *Vault) CheckObjects(ctx context.Context) error {
	if err := v.cfg.Objects.Check(ctx); err != nil {
		return fmt.Errorf("checking the object store: %w", err)
	}
	now := v.cfg.Clock.Now()
	due, err := v.puts.due(now)
	if due {
		err = v.tryPut(ctx, now)
		v.puts.note(err)
	}
	if err != nil {
		return fmt.Errorf("checking the object store: putting an object where documents go: %w", err)
	}
	return nil
}

// tryPut puts an object beside the default tenant's documents and takes it away again. An object that a crash
// leaves is swept with those of broken uploads.
func (v *Vault) tryPut(ctx context.Context, now time.Time) error {
	key, err := v.newObjectKey(DefaultTenant, now)
	if err != nil {
		return err
	}
	body := []byte("muniment tries whether documents can be put here")
	info, err := v.cfg.Objects.Put(ctx, key, bytes.NewReader(body),
		objects.PutOptions{Length: int64(len(body)), Condition: objects.Condition{Absent: true}})
	if err != nil {
		return err
	}
	if err := v.cfg.Objects.Delete(ctx, key, info.Version); err != nil && !errors.Is(err, objects.ErrLocked) {
		return err
	}
	return nil
}

// DamagedDocuments counts the documents whose content is on record as damaged and that are not erased.
func (v *Vault) DamagedDocuments(ctx context.Context) (n int, err error) {
	err = v.cfg.Journal.View(ctx, func(r journal.Reader) error {
		n = 0
		return documents.ScanBy(r, "damaged", journal.Range{}, func(_, _ []byte, _ document) error {
			if n++; n == maxCount {
				return journal.Stop
			}
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("counting damaged documents: %w", err)
	}
	return n, nil
}

// Failing is how many of a worker's acts on stored objects fail lastingly, and since when the first of them does.
type Failing struct {
	Count int // 10000: so many or more
	Since time.Time
}

// FailingLocks says which documents' locks could not be extended and are tried again.
func (v *Vault) FailingLocks(ctx context.Context) (Failing, error) { return v.failing(ctx, lockDuty) }

// FailingErasures says of how many erased documents the content could not be deleted and is tried again.
func (v *Vault) FailingErasures(ctx context.Context) (Failing, error) {
	return v.failing(ctx, eraseDuty)
}

func (v *Vault) failing(ctx context.Context, kind string) (f Failing, err error) {
	if f.Count, f.Since, err = v.cfg.Journal.Failing(ctx, kind, maxCount); err != nil {
		return Failing{}, fmt.Errorf("counting duties that fail: %w", err)
	}
	return f, nil
}

// OverdueLocks counts the documents whose lock should have been extended more than an hour ago.
func (v *Vault) OverdueLocks(ctx context.Context) (int, error) {
	n, err := v.cfg.Journal.Overdue(ctx, lockDuty, v.cfg.Clock.Now().Add(-locksLate), maxCount)
	if err != nil {
		return 0, fmt.Errorf("counting the locks that are overdue: %w", err)
	}
	return n, nil
}
