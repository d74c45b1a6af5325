package node

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/cmd/muniment/cli"
	"muniment/vault/checkpoints"
	"muniment/vault/objects/dir"
)

// silent takes what a bucket that is put back would complain about.
type silent struct{}

func (silent) Errorf(string, ...any) {}

// grow commits so many events and waits for their checkpoint.
func grow(t *testing.T, j *journal.Journal, n int) {
	t.Helper()
	for range n {
		_, err := j.Commit(t.Context(), journal.Actor{Tenant: journal.System, ID: "test"},
			func(journal.View) (journal.Change, error) {
				return journal.Change{Events: []journal.Event{grown.New(journal.ID{}, struct{}{})}}, nil
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.AwaitCheckpoint(t.Context(), j.Size()); err != nil {
		t.Fatal(err)
	}
}

// grown is an event that says nothing.
const grown journal.Type[struct{}] = "test.grown/1"

func nothing(*journal.Writer, journal.Entry, struct{}) error { return nil }

// TestAJournalIsComparedWithWhatIsLocked: one that is older than the newest locked checkpoint, that has gone another
// way, or that is from before its present origin, is told from the one that was signed, although its bucket agrees with
// it.
func TestAJournalIsComparedWithWhatIsLocked(t *testing.T) {
	t.Parallel()
	kit := journaltest.NewKit(t)
	kit.Bucket = journaltest.NewBucket(silent{})
	store, err := dir.Open(t.Context(), dir.Config{Dir: filepath.Join(t.TempDir(), "objects"), Versioned: true,
		Create: true, Clock: kit.Clock, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	keep := func(j *journal.Journal) {
		t.Helper()
		k, err := NewKeeper(j, store, checkpoints.Kept{}, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Keep(t.Context(), j.Size()); err != nil {
			t.Fatal(err)
		}
	}
	compare := func(j *journal.Journal, older bool, when string) {
		t.Helper()
		_, err := CompareLocked(t.Context(), store, j.View, nil)
		if errors.Is(err, ErrOlder) != older || err != nil && !older {
			t.Errorf("%s: %v", when, err)
		}
		if _, has := cli.HintOf(err); err != nil && !has {
			t.Errorf("%s it does not say what to do", when)
		}
	}
	j := kit.Open(t, grown.On(nothing))
	compare(j, false, "before anything is locked")
	grow(t, j, 2)
	early := *kit
	early.Backend, early.Bucket = kit.Backend.Clone(), kit.Bucket.Clone(silent{})
	grow(t, j, 2)
	keep(j)
	compare(j, false, "the journal that was signed")
	grow(t, j, 1)
	compare(j, false, "the journal that has gone on")
	old := early.Open(t, grown.On(nothing))
	compare(old, true, "the one that was put back")
	grow(t, old, 4)
	compare(old, true, "the one that went on from there")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	kept := kit.Backend.Reopen(memory.Config{})
	before := kept.Clone()
	kit.Backend = kept
	accepted(t, kit)
	kit.Backend = kit.Backend.Reopen(memory.Config{})
	later := reopen(t, kit)
	compare(later, false, "the one that has begun another origin")
	grow(t, later, 1)
	keep(later)
	compare(later, false, "the other origin, when it is locked")
	kit.Backend = before
	compareBackend := func(ctx context.Context, fn func(journal.Reader) error) error { return before.View(ctx, fn) }
	if found, err := CompareLocked(t.Context(), store, compareBackend, nil); !errors.Is(err, ErrOlder) ||
		!errors.Is(err, checkpoints.ErrLaterOrigin) || found.Origin != "muniment/later" {
		t.Errorf("the one from before that origin: %+v, %v", found, err)
	}
}

// reopenConfig is how a kit's journal is opened again.
func reopenConfig(t *testing.T, kit *journaltest.Kit) journal.Config {
	return journal.Config{
		Backend: kit.Backend, Bucket: kit.Bucket, Signer: journaltest.Signer(), Clock: kit.Clock, Rand: rand.Reader,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Definitions: []journal.Definition{grown.On(nothing)},
		ShippingKeys: kit.Keys,
	}
}

// accepted begins a new origin.
func accepted(t *testing.T, kit *journaltest.Kit) {
	t.Helper()
	cfg := reopenConfig(t, kit)
	cfg.Origin = "muniment/later"
	if _, err := journal.BeginUnproven(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// reopen opens a kit's journal again.
func reopen(t *testing.T, kit *journaltest.Kit) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), reopenConfig(t, kit))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}
