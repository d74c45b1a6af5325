package journal_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"muniment/anchor/journal"
)

var errKilled = errors.New("killed")

// killedBackend refuses every transaction after so many, as if the process had been killed there.
type killedBackend struct {
	journal.Backend
	left *int
}

// Update counts down.
func (k killedBackend) Update(ctx context.Context, fn func(journal.Txn) error) error {
	if *k.left == 0 {
		return errKilled
	}
	*k.left--
	return k.Backend.Update(ctx, fn)
}

// TestAKilledCatchUpIsFinished breaks a start off after each of its transactions: whichever it was, the next start
// removes the lookup tokens of the row whose erasure it has caught up with.
func TestAKilledCatchUpIsFinished(t *testing.T) {
	t.Parallel()
	for transactions := 0; ; transactions++ {
		k := newKit(t)
		j := k.open(t)
		keep(t, j, "a")
		released(t, j, keep(t, j, "b"))
		k.close(t, j)
		old := k.backend.Clone()
		j = k.open(t)
		released(t, j, erase(t, j, "a"))
		k.close(t, j)
		k.backend = old
		cfg := k.config(t)
		left := transactions
		cfg.Backend = killedBackend{k.backend, &left}
		j, err := journal.Open(t.Context(), cfg)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		whole := err == nil
		if whole {
			k.close(t, j)
		} else if dangling := k.dangling(t); dangling && !k.unfinished(t) {
			t.Errorf("killed after %d transactions, fsck does not say that the start is unfinished", transactions)
		}
		j = k.open(t)
		if at := holder(t, j, "token-a"); at != "" {
			t.Errorf("killed after %d transactions, token-a leads to %q", transactions, at)
		}
		if at := holder(t, j, "token-b"); at != "b" {
			t.Errorf("killed after %d transactions, token-b leads to %q", transactions, at)
		}
		k.close(t, j)
		if found := k.fsck(t); len(found) > 0 {
			t.Errorf("killed after %d transactions: %s", transactions, first(found))
		}
		if whole {
			if transactions < 3 {
				t.Errorf("a start that catches up has only %d transactions", transactions)
			}
			return
		}
	}
}

// dangling says whether a lookup token of the journal leads to a row that is not there.
func (k *kit) dangling(t *testing.T) bool { return k.says(t, "leads to a row that is not there") }

// unfinished says whether fsck names the start that was broken off.
func (k *kit) unfinished(t *testing.T) bool { return k.says(t, "a start was broken off") }

func (k *kit) says(t *testing.T, what string) bool {
	t.Helper()
	for _, f := range k.fsck(t) {
		if strings.Contains(f.Problem, what) {
			return true
		}
	}
	return false
}
