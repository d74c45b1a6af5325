package vault_test

import (
	"context"
	"testing"
	"time"

	"muniment/vault"
	"muniment/vault/objects"
)

// unlockable is a store that takes documents and refuses to extend their locks.
type unlockable struct{ objects.Store }

// Retain refuses.
func (unlockable) Retain(context.Context, string, string, time.Time) error {
	return objects.ErrUnavailable
}

// TestLocksThatAreRefusedAreCounted, an hour after they were due.
func TestLocksThatAreRefusedAreCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *rig, cfg *vault.Config) { cfg.Objects = unlockable{cfg.Objects} })
	r.deposit(vault.Deposit{}, []byte("x"))
	r.deposit(vault.Deposit{}, []byte("y"))
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {time.Hour + time.Minute, 0}, {time.Hour, 2}} {
		r.clock.Advance(step.after)
		if n, err := r.vault.OverdueLocks(t.Context()); err != nil || n != step.want {
			t.Errorf("after %v: %d locks are behind, %v, want %d", step.after, n, err, step.want)
		}
	}
}
