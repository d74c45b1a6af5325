package vault_test

import (
	"context"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
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
