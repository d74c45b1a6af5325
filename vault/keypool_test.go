package vault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"muniment/vault"
	"muniment/vault/keys"
	"muniment/vault/keys/keystest"
)

// pooled is a rig whose vault wraps keys ahead, and counts what it asks of the key service.
func pooled(t *testing.T) (*rig, *keystest.Faulty) {
	var faulty *keystest.Faulty
	r := newRig(t, func(r *rig, cfg *vault.Config) {
		faulty = keystest.NewFaulty(cfg.Keys)
		cfg.Keys, cfg.Ahead = faulty, 64
	})
	return r, faulty
}

// TestKeysAreWrappedAhead: while deposits are frequent one call to the key service serves many; each document has keys
// of its own.
func TestKeysAreWrappedAhead(t *testing.T) {
	t.Parallel()
	const deposits = 90
	r, faulty := pooled(t)
	before := faulty.Calls(keystest.Wrap)
	for i := range deposits {
		content := fmt.Appendf(nil, "content %d", i)
		out := r.deposit(vault.Deposit{}, content)
		if got, err := r.read(out.ID); err != nil || string(got) != string(content) {
			t.Fatalf("document %d reads back %q, %v", i, got, err)
		}
		r.clock.Advance(3 * time.Millisecond)
	}
	if calls := faulty.Calls(keystest.Wrap) - before; calls > deposits/3 {
		t.Errorf("%d deposits took %d calls", deposits, calls)
	}
}

// TestALoneDepositHasItsOwnKeysWrapped: nothing is drawn for nobody.
func TestALoneDepositHasItsOwnKeysWrapped(t *testing.T) {
	t.Parallel()
	r, faulty := pooled(t)
	before := faulty.Calls(keystest.Wrap)
	for range 10 {
		r.clock.Advance(10 * time.Second)
		r.deposit(vault.Deposit{}, []byte("content"))
	}
	if calls := faulty.Calls(keystest.Wrap) - before; calls != 10 {
		t.Errorf("10 deposits, far apart, took %d calls", calls)
	}
}

// TestThePoolEndsWithTheKeyService: what was wrapped ahead outlives a key service that is down for a second, no
// longer.
func TestThePoolEndsWithTheKeyService(t *testing.T) {
	t.Parallel()
	r, faulty := pooled(t)
	for range 40 {
		r.deposit(vault.Deposit{}, []byte("content"))
	}
	faulty.Arm(keystest.Wrap, keystest.Fail)
	r.clock.Advance(time.Second)
	if _, err := r.vault.Deposit(context.Background(), r.who, vault.Deposit{Length: 0}); !errors.Is(err,
		keys.ErrUnavailable) {
		t.Errorf("a deposit with a key service that is down: %v, want ErrUnavailable", err)
	}
	faulty.Arm(keystest.Wrap, keystest.None)
	r.deposit(vault.Deposit{}, []byte("content"))
}
