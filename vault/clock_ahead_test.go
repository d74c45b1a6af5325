package vault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/objects"
)

const year = 365 * 24 * time.Hour

// skewed is a store that refuses requests while it is told that the clock is wrong, as S3 does.
type skewed struct {
	objects.Store
	wrong atomic.Bool
}

func (s *skewed) err() error {
	if s.wrong.Load() {
		return errors.New("RequestTimeTooSkewed")
	}
	return nil
}

func (s *skewed) Retain(ctx context.Context, key, version string, until time.Time) error {
	return errors.Join(s.err(), s.Store.Retain(ctx, key, version, until))
}

func (s *skewed) Stat(ctx context.Context, key, version string) (objects.Info, error) {
	if err := s.err(); err != nil {
		return objects.Info{}, err
	}
	return s.Store.Stat(ctx, key, version)
}

// newSkewedRig opens a vault over a skewed store.
func newSkewedRig(t *testing.T, options ...option) (*rig, *skewed) {
	store := &skewed{}
	return newRig(t, append(options, func(_ *rig, c *vault.Config) {
		store.Store = c.Objects
		c.Objects = store
	})...), store
}

// neverUnlocked lets two days pass, hour by hour, in each of which the only object must be locked.
func (r *rig) neverUnlocked() {
	r.t.Helper()
	for range 48 {
		r.clock.Advance(time.Hour)
		_, err := r.journal.WorkOnce(context.Background(), vault.LockWorker(r.vault))
		r.must(err)
		if until := r.lockedUntil(); !until.After(r.clock.Now()) {
			r.t.Fatalf("the lock has ended at %v, and it is %v", until, r.clock.Now())
		}
	}
}

// TestLockAfterAClockThatWasAhead: the journal's time stays a year ahead after one commit by a wrong clock, and locks
// are extended all the same.
func TestLockAfterAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.clock.Step(year)
	_, err := r.vault.SetPurposes(t.Context(), r.who, []string{"audit"})
	r.must(err)
	r.clock.Step(-year)
	r.deposit(vault.Deposit{}, []byte("after"))
	r.neverUnlocked()
}

// stepping is content while whose reading the clock steps.
type stepping struct {
	io.Reader
	step func()
}

func (s *stepping) Read(p []byte) (int, error) {
	if s.step != nil {
		s.step()
		s.step = nil
	}
	return s.Reader.Read(p)
}

// TestLockOfADepositAhead: the clock is ahead when a deposit is committed whose upload has begun before.
func TestLockOfADepositAhead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := &stepping{Reader: bytes.NewReader([]byte("content")), step: func() { r.clock.Step(year) }}
	_, err := r.vault.Deposit(t.Context(), r.who, vault.Deposit{Length: 7, Content: content})
	r.must(err)
	r.clock.Step(-year)
	r.neverUnlocked()
}

// TestLockThatFailedAhead: a lock that was refused while the clock was ahead is extended in time.
func TestLockThatFailedAhead(t *testing.T) {
	t.Parallel()
	r, store := newSkewedRig(t)
	r.deposit(vault.Deposit{}, []byte("before"))
	r.clock.Step(year)
	store.wrong.Store(true)
	if _, err := r.journal.WorkOnce(t.Context(), vault.LockWorker(r.vault)); err == nil {
		t.Error("nothing was refused")
	}
	store.wrong.Store(false)
	r.clock.Step(-year)
	r.neverUnlocked()
}

// TestRetentionDateByAClockThatIsAhead: a document whose retention date has passed only by a clock that is ahead is
// locked until that date when the clock is right.
func TestRetentionDateByAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	until := time.Date(2031, 9, 30, 0, 0, 0, 0, time.UTC)
	r, store := newSkewedRig(t, func(_ *rig, c *vault.Config) { c.Rules = scheduled{c.Rules, until} })
	r.deposit(vault.Deposit{}, []byte("x"))
	r.clock.Step(20 * year)
	store.wrong.Store(true)
	_, _ = r.journal.WorkOnce(t.Context(), vault.LockWorker(r.vault))
	store.wrong.Store(false)
	r.clock.Step(-20 * year)
	r.neverUnlocked()
	if got := r.lockedUntil(); !got.Equal(until) {
		t.Errorf("locked until %v, want %v", got, until)
	}
}

// TestErasureAfterAClockThatWasAhead: the content of a document that was erased while the clock was ahead, or after
// that, is deleted when its lock ends.
func TestErasureAfterAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	l := newLifeRig(t, localHouse(t))
	docs := []journal.ID{l.deposit(vault.Deposit{}, []byte("1")).ID, l.deposit(vault.Deposit{}, []byte("2")).ID}
	l.clock.Advance(25 * time.Hour)
	l.clock.Step(year)
	l.erase(docs[0], false)
	l.clock.Step(-year)
	l.erase(docs[1], false)
	if n, err := l.journal.WorkOnce(t.Context(), vault.EraseWorker(l.vault)); n != 2 || err != nil {
		t.Errorf("%d contents were deleted, %v; want 2", n, err)
	}
}
