package access_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/vault/access"
)

// keeper notes what it is asked to cover, and fails as it is told.
type keeper struct {
	size uint64
	err  error
}

func (k *keeper) Keep(_ context.Context, size uint64) error {
	k.size = size
	return k.err
}

// TestDoorKept: nothing is called kept that no locked checkpoint covers, and all is that one does.
func TestDoorKept(t *testing.T) {
	t.Parallel()
	j, bucket := openWith(t)
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	principal(t, j, 1, access.Administrator)
	if err := door.Kept(t.Context()); !errors.Is(err, access.ErrUnreleased) {
		t.Errorf("without a keeper: %v", err)
	}
	kept, away := &keeper{}, errors.New("the store is away")
	door.KeepWith(kept)
	if err := door.Kept(t.Context()); err != nil || kept.size != j.Size() {
		t.Errorf("with a keeper: %v, for %d of %d entries", err, kept.size, j.Size())
	}
	kept.err = away
	if err := door.Kept(t.Context()); !errors.Is(err, access.ErrUnreleased) || !errors.Is(err, away) {
		t.Errorf("with a keeper that fails: %v", err)
	}
	door = access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock(), ReleaseWait: time.Millisecond})
	kept = &keeper{}
	door.KeepWith(kept)
	bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	principal(t, j, 2, access.Administrator)
	if err := door.Kept(t.Context()); !errors.Is(err, access.ErrUnreleased) || kept.size != 0 {
		t.Errorf("while nothing is released: %v, and the keeper was asked for %d entries", err, kept.size)
	}
}

// halting is a backend that tells of a write whose outcome cannot be trusted.
type halting struct {
	journal.Backend
	now atomic.Bool
}

func (b *halting) Update(ctx context.Context, fn func(journal.Txn) error) error {
	if b.now.Load() {
		return journal.ErrStopped
	}
	return b.Backend.Update(ctx, fn)
}

// TestDoorKeptNotAtOnce: a journal without its key service is not waited for, and of one that has stopped nobody says
// that an act of it is in force: another process may have gone on without it.
func TestDoorKeptNotAtOnce(t *testing.T) {
	t.Parallel()
	shipping := journaltest.ShippingKeys()
	backend := &halting{Backend: memory.New(memory.Config{})}
	cfg := journal.Config{
		Backend: backend, Bucket: journaltest.NewBucket(t), Signer: journaltest.Signer(),
		Clock: journaltest.NewClock(), Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
		Definitions: access.Definitions(), Origin: "muniment/test", Create: true, ID: journaltest.ID,
		ShippingKeys: shipping, LocalKey: journaltest.NewLocalKey(),
	}
	first := journaltest.Must(journal.Open(t.Context(), cfg))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	backend.Backend = backend.Backend.(*memory.Store).Reopen(memory.Config{})
	shipping.Down(true)
	cfg.Create = false
	j := journaltest.Must(journal.Open(t.Context(), cfg))
	defer j.Close()
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock(), ReleaseWait: time.Hour})
	kept := &keeper{}
	door.KeepWith(kept)
	principal(t, j, 1, access.Administrator)
	if err := door.Kept(t.Context()); !errors.Is(err, access.ErrUnreleased) ||
		!errors.Is(err, journal.ErrKeysUnavailable) || kept.size != 0 {
		t.Errorf("without the key service: %v, and the keeper was asked for %d entries", err, kept.size)
	}
	shipping.Down(false)
	for deadline := time.Now().Add(30 * time.Second); j.Provisional(); {
		if time.Now().After(deadline) {
			t.Fatal("the journal does not open the key that is there again")
		}
		<-time.After(time.Millisecond)
	}
	if err := door.Kept(t.Context()); err != nil || kept.size != j.Size() {
		t.Errorf("with it again: %v, for %d of %d entries", err, kept.size, j.Size())
	}
	backend.now.Store(true)
	_, err := j.Commit(t.Context(), journal.Actor{Tenant: tenant, ID: "test"},
		func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{keyAdded(access.Who{}, 1)}}, nil
		})
	if !errors.Is(err, journal.ErrStopped) {
		t.Fatalf("committing to a journal that stops: %v", err)
	}
	kept.err = journal.ErrStopped
	if err := door.Kept(t.Context()); !errors.Is(err, journal.ErrStopped) || errors.Is(err, access.ErrUnreleased) {
		t.Errorf("on a journal that has stopped: %v", err)
	}
}
