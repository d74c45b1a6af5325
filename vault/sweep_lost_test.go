package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/objects"
)

// quick lets waiting for the release bucket end soon.
func quick(r *rig, _ *vault.Config) { r.releaseWait = 200 * time.Millisecond }

// noHeads has every swap of the head fail, or none.
func (r *rig) noHeads(down bool) {
	r.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if down && c.Op == "put" && c.Name == "head" {
			return journaltest.Fails
		}
		return journaltest.Works
	})
}

// Objects are deleted only when the head that says so is released: a server that has been overtaken, and does not know
// the newer documents, learns of it there.
func TestSweepWaitsForTheHead(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick)
	orphan := r.orphan("default/orphan", objects.PutOptions{})
	r.clock.Advance(25 * time.Hour)
	r.noHeads(true)
	for range 2 { // the second finds the event on record
		if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 0 || !errors.Is(err, access.ErrUnreleased) {
			t.Errorf("swept %d, %v, before the head was released", n, err)
		}
	}
	if _, err := r.objects.Stat(context.Background(), orphan.Key, orphan.Version); err != nil {
		t.Fatal(err)
	}
	r.noHeads(false)
	r.awaitHead()
	if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 1 || err != nil {
		t.Errorf("then swept %d, %v", n, err)
	}
}

// The same holds for the ciphertext of a document that was erased.
func TestEraseWaitsForTheHead(t *testing.T) {
	t.Parallel()
	l := newLifeRig(t, localHouse(t), quick)
	doc := l.deposit(vault.Deposit{}, []byte("content"))
	l.clock.Advance(25 * time.Hour)
	l.noHeads(true)
	l.erase(doc.ID, false)
	n, err := l.journal.WorkOnce(context.Background(), vault.EraseWorker(l.vault))
	if n != 0 || !errors.Is(err, access.ErrUnreleased) || l.stored() != 1 {
		t.Errorf("%d objects erased, %v, before the head was released; %d are left", n, err, l.stored())
	}
	l.noHeads(false)
	l.awaitHead()
	n, err = l.journal.WorkOnce(context.Background(), vault.EraseWorker(l.vault))
	if n != 1 || err != nil || l.stored() != 0 {
		t.Errorf("then %d objects erased, %v; %d are left", n, err, l.stored())
	}
}

// stored is how many versions the store has.
func (r *rig) stored() (n int) {
	r.t.Helper()
	for _, err := range r.objects.List(context.Background(), "", "") {
		if err != nil {
			r.t.Fatal(err)
		}
		n++
	}
	return n
}

// awaitHead waits until all that is on record is in the released head.
func (r *rig) awaitHead() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.journal.Shipped(ctx, journal.Receipt{Index: r.journal.Size() - 1}); err != nil {
		r.t.Fatal(err)
	}
}

// An object whose lock was extended belonged to a document once: the journal that does not know it is an older one, or
// another vault's, and does not delete it, however long ago the lock has ended.
func TestSweepSparesWhatADocumentHad(t *testing.T) {
	t.Parallel()
	r, _ := newServerRig(t)
	content := []byte("of a newer history, or of another vault")
	extended, err := r.objects.Put(context.Background(), "default/extended", bytes.NewReader(content),
		objects.PutOptions{
			Length: int64(len(content)), RetainUntil: r.clock.Now().Add(24 * time.Hour),
		})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.objects.Retain(context.Background(), extended.Key, extended.Version,
		r.clock.Now().AddDate(0, 0, 90)); err != nil {
		t.Fatal(err)
	}
	r.orphan("default/broken", objects.PutOptions{RetainUntil: r.clock.Now().Add(24 * time.Hour)})
	r.clock.Advance(100 * 24 * time.Hour)
	if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 1 || err != nil {
		t.Errorf("swept %d, %v; want the broken upload alone", n, err)
	}
	if _, err := r.objects.Stat(context.Background(), extended.Key, extended.Version); err != nil {
		t.Errorf("the object of a document that this journal does not know: %v", err)
	}
	if log := string(r.log.Bytes()); !strings.Contains(log, "default/extended") {
		t.Error("nobody is told")
	}
}

// unwatched lets a bucket's history be set aside.
type unwatched struct{}

func (unwatched) Errorf(string, ...any) {}

// An object that was in the store when a loss was accepted may be the content of a document that was lost, and whose
// entries turn up yet.
func TestSweepSparesWhatWasLost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t, func(r *rig, _ *vault.Config) { r.bucket = journaltest.NewBucket(unwatched{}) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r.orphan("default/lost", objects.PutOptions{RetainUntil: r.clock.Now().Add(24 * time.Hour)})
	r.clock.Advance(time.Hour)
	must(r.vault.Close())
	must(r.journal.Close())
	r.bucket.Tamper("head", nil)
	cfg := journal.Config{
		Backend: r.backend.(*memory.Store).Reopen(memory.Config{}), Bucket: r.bucket, Signer: journaltest.Signer(),
		Clock: r.clock, Rand: r.cfg.Rand,
		Log: r.cfg.Log, Definitions: slices.Concat(vault.Definitions(), retention.Definitions(), anchor.Definitions()),
		Origin: "muniment/after", ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	}
	_, err := journal.AcceptLoss(ctx, cfg)
	must(err)
	cfg.Backend = cfg.Backend.(*memory.Store).Reopen(memory.Config{})
	r.journal, err = journal.Open(ctx, cfg)
	must(err)
	r.vault, err = vault.Open(ctx, r.config(func(c *vault.Config) { c.Journal = r.journal }))
	must(err)
	r.clock.Advance(time.Hour)
	r.orphan("default/broken", objects.PutOptions{})
	r.clock.Advance(48 * time.Hour)
	if n, err := r.vault.Sweep(ctx, r.tenant); n != 1 || err != nil || r.stored() != 1 {
		t.Errorf("swept %d, %v, and %d are left; want the later one swept", n, err, r.stored())
	}
}

// Objects that the store refuses to lock, each time, keep no other from being locked: a new one's lock ends after a
// day.
func TestLocksRefused(t *testing.T) {
	t.Parallel()
	r, store := newServerRig(t)
	var keys []string
	for i := range 40 {
		doc := r.deposit(vault.Deposit{}, []byte{byte(i)})
		for info, err := range r.objects.List(context.Background(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(keys, info.Key) {
				keys = append(keys, info.Key)
			}
		}
		if len(keys) != i+1 {
			t.Fatalf("%d objects after the deposit of %s", len(keys), doc.ID)
		}
	}
	r.clock.Advance(2 * time.Hour)
	store.refuse = func(key string) error {
		if slices.Contains(keys[:12], key) { // the oldest
			return fmt.Errorf("test: 403: %w", objects.ErrUnavailable)
		}
		return nil
	}
	if done, err := r.journal.WorkOnce(context.Background(), vault.LockWorker(r.vault)); done != len(keys)-12 ||
		err == nil {
		t.Errorf("%d locks done, %v; want all but those refused", done, err)
	}
}
