package objects_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
)

// TestOneOwner: of several installations that claim a store at once, one has it.
func TestOneOwner(t *testing.T) {
	t.Parallel()
	for _, versioned := range []bool{false, true} {
		clock := journaltest.NewClock()
		store, err := dir.Open(t.Context(), dir.Config{Dir: filepath.Join(t.TempDir(), "store"), Versioned: versioned,
			Create: true, Clock: clock, Rand: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		var until time.Time
		if versioned {
			until = clock.Now().Add(time.Hour)
		}
		if there, err := objects.CheckOwner(t.Context(), store, "owner", journaltest.ID); there || err != nil {
			t.Fatalf("of an empty store: %v, %v", there, err)
		}
		var owner atomic.Pointer[journal.ID]
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				id := journaltest.Must(journal.NewID(clock.Now(), rand.Reader))
				err := objects.ClaimOwner(t.Context(), store, "owner", id, clock.Now(), until)
				if err == nil && !owner.CompareAndSwap(nil, &id) {
					t.Error("two have it")
				}
				if err != nil && !errors.Is(err, objects.ErrOwned) {
					t.Errorf("the others are told %v", err)
				}
			})
		}
		all.Wait()
		if err := objects.ClaimOwner(t.Context(), store, "owner", *owner.Load(), clock.Now(), until); err != nil {
			t.Errorf("the owner claims it again: %v", err)
		}
		if there, err := objects.CheckOwner(t.Context(), store, "owner", *owner.Load()); !there || err != nil {
			t.Errorf("the owner's check: %v, %v", there, err)
		}
		_, err = objects.CheckOwner(t.Context(), store, "owner", journaltest.ID)
		if !errors.Is(err, objects.ErrOwned) {
			t.Errorf("another's check: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOwnerThatCannotBeRead: junk, or a newer format, is nobody's leave to go on.
func TestOwnerThatCannotBeRead(t *testing.T) {
	t.Parallel()
	store, err := dir.Open(t.Context(), dir.Config{Dir: filepath.Join(t.TempDir(), "store"), Create: true,
		Clock: journaltest.NewClock(), Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, raw := range []string{"", "x", "{}", `{"v":1,"journal":"x"}`,
		`{"v":2,"journal":"01890a5d-ac96-774b-bcce-b302099a8057"}`} {
		if _, err := store.Put(t.Context(), "owner", bytes.NewReader([]byte(raw)),
			objects.PutOptions{Length: int64(len(raw))}); err != nil {
			t.Fatal(err)
		}
		if _, err := objects.CheckOwner(t.Context(), store, "owner", journaltest.ID); err == nil {
			t.Errorf("%q is taken for an owner", raw)
		}
	}
}
