package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/objects"
)

// scheduled are rules that know a retention date.
type scheduled struct {
	vault.Rules
	until time.Time
}

func (s scheduled) File(r journal.Reader, tenant, series string) (vault.Filing, error) {
	f, err := s.Rules.File(r, tenant, series)
	f.Scheduled, f.RetainUntil = true, s.until
	return f, err
}

// settle performs the lock duties that are due.
func (r *rig) settle() {
	r.t.Helper()
	if _, err := r.journal.WorkOnce(context.Background(), vault.LockWorker(r.vault)); err != nil {
		r.t.Fatal(err)
	}
}

// lockedUntil is how long the only object is locked.
func (r *rig) lockedUntil() time.Time {
	r.t.Helper()
	var until time.Time
	for info, err := range r.objects.List(context.Background(), "", "") {
		if err != nil {
			r.t.Fatal(err)
		}
		until = info.RetainUntil
	}
	return until
}

func TestLockRollsForward(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	start := r.clock.Now()
	near := func(want time.Time) {
		t.Helper()
		if got := r.lockedUntil(); got.Sub(want).Abs() > 2*time.Second {
			t.Errorf("locked until %v, want %v", got, want)
		}
	}
	r.deposit(vault.Deposit{}, []byte("x"))
	r.settle() // not due yet
	near(start.AddDate(0, 0, 1))
	start = r.clock.Advance(time.Hour)
	r.settle()
	near(start.AddDate(0, 0, 90))
	r.clock.Set(start.AddDate(0, 0, 59))
	r.settle()
	near(start.AddDate(0, 0, 90))
	r.clock.Set(start.AddDate(0, 0, 61))
	r.settle()
	near(start.AddDate(0, 0, 61+90))
	if owed, err := r.journal.Owed(context.Background(), "lock"); err != nil || owed != 1 {
		t.Errorf("%d locks owed, error %v, want the next one", owed, err)
	}
}

func TestLockUntilRetentionDate(t *testing.T) {
	t.Parallel()
	until := time.Date(2040, 9, 30, 0, 0, 0, 0, time.UTC)
	r := newRig(t, func(_ *rig, c *vault.Config) { c.Rules = scheduled{c.Rules, until} })
	if out := r.deposit(vault.Deposit{}, []byte("x")); !out.Document.RetainUntil.Equal(until) {
		t.Errorf("deposited until %v", out.Document.RetainUntil)
	}
	r.clock.Advance(time.Hour)
	r.settle()
	if got := r.lockedUntil(); !got.Equal(until) {
		t.Errorf("locked until %v, want %v", got, until)
	}
	if owed, err := r.journal.Owed(context.Background(), "lock"); err != nil || owed != 0 {
		t.Errorf("%d locks owed, error %v, want none", owed, err)
	}
}

// refusing is a store that never extends the locks of some objects, as one does where a policy forbids it.
type refusing struct {
	objects.Store
	mu      sync.Mutex
	refused map[string]bool
}

func (s *refusing) Retain(ctx context.Context, key, version string, until time.Time) error {
	s.mu.Lock()
	refused := s.refused[key]
	s.mu.Unlock()
	if refused {
		return errors.New("AccessDenied")
	}
	return s.Store.Retain(ctx, key, version, until)
}

// refuse has it refuse all objects that documents have now, or none.
func (s *refusing) refuse(r *rig, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = map[string]bool{}
	for _, rec := range r.records() {
		var data vault.DocumentDepositedData
		if all && rec.Type == string(vault.DocumentDeposited) && json.Unmarshal(rec.Data, &data) == nil {
			s.refused[data.Object.Key] = true
		}
	}
}

// TestRefusedLocksStarveNobody: the lock of a new document is extended in time, though the store lastingly refuses a
// thousand others, which is as many as one event settles.
func TestRefusedLocksStarveNobody(t *testing.T) {
	t.Parallel()
	store := &refusing{}
	r := newRig(t, func(_ *rig, c *vault.Config) {
		store.Store = c.Objects
		c.Objects = store
	})
	if err := vault.SealDocuments(t.Context(), r.vault, r.who, 1000); err != nil {
		t.Fatal(err)
	}
	store.refuse(r, true)
	r.clock.Set(r.clock.Now().AddDate(1, 0, 1)) // their locks are due
	lock := func() { _, _ = r.journal.WorkOnce(t.Context(), vault.LockWorker(r.vault)) }
	size := r.journal.Size()
	lock()
	r.deposit(vault.Deposit{}, []byte("new"))
	start := r.clock.Advance(time.Hour)
	lock()
	if got, want := r.lockedUntil(), start.AddDate(0, 0, 90); got.Sub(want).Abs() > 2*time.Second {
		t.Errorf("the new document is locked until %v, want %v", got, want)
	}
	if n, err := r.vault.OverdueLocks(t.Context()); n != 1000 || err != nil {
		t.Errorf("%d locks are behind, %v", n, err)
	}
	if got := r.journal.Size() - size; got > 4 {
		t.Errorf("a thousand failures have made %d events", got)
	}
}

// TestLocksBehindAlarm: locks that are behind for hours raise an alarm on record, once, and again when there are ten
// times as many; when none is behind any more, that is on record too.
func TestLocksBehindAlarm(t *testing.T) {
	t.Parallel()
	store := &refusing{}
	r := newRig(t, func(_ *rig, c *vault.Config) {
		store.Store = c.Objects
		c.Objects = store
	})
	turn := func(wait time.Duration) {
		t.Helper()
		r.clock.Advance(wait)
		_, _ = r.journal.WorkOnce(t.Context(), vault.LockWorker(r.vault))
		if err := vault.WatchLocks(t.Context(), r.vault); err != nil {
			t.Fatal(err)
		}
	}
	want := func(behind, caughtUp int) {
		t.Helper()
		if b, c := r.count(string(vault.LocksBehind)), r.count(string(vault.LocksCaughtUp)); b != behind ||
			c != caughtUp {
			t.Errorf("%d alarms and %d ends, want %d and %d", b, c, behind, caughtUp)
		}
	}
	r.deposit(vault.Deposit{}, []byte("refused"))
	store.refuse(r, true)
	turn(time.Hour)
	turn(5 * time.Hour)
	want(0, 0)
	turn(2 * time.Hour)
	want(1, 0)
	for i := range 9 {
		r.deposit(vault.Deposit{}, []byte{byte(i)})
	}
	store.refuse(r, true)
	turn(time.Hour)
	turn(5 * time.Hour)
	want(1, 0)
	turn(2 * time.Hour)
	want(2, 0)
	store.refuse(r, false)
	turn(time.Hour)
	turn(time.Minute)
	want(2, 1)
	if n, err := r.vault.FailingLocks(t.Context()); n.Count != 0 || err != nil {
		t.Errorf("%d locks are failing, %v", n.Count, err)
	}
	size := r.journal.Size()
	turn(time.Minute)
	if r.journal.Size() != size {
		t.Error("an idle turn writes")
	}
}
