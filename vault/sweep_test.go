package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muniment/vault"
	"muniment/vault/objects"
	"muniment/vault/objects/objectstest"
)

// serverLike is a store as servers are: its lists tell nothing of locks and holds, and it counts the calls under way.
type serverLike struct {
	objects.Store
	refuse func(key string) error // of Retain and Delete; or nil

	underWay, most, calls atomic.Int64
	tidied                atomic.Int64
}

func (s *serverLike) List(ctx context.Context, prefix, after string) iter.Seq2[objects.Info, error] {
	return func(yield func(objects.Info, error) bool) {
		for info, err := range s.Store.List(ctx, prefix, after) {
			info.RetainUntil, info.Held = time.Time{}, false
			if !yield(info, err) {
				return
			}
		}
	}
}

// enter counts a call, and gives others the time to come.
func (s *serverLike) enter(key string) error {
	s.calls.Add(1)
	n := s.underWay.Add(1)
	defer s.underWay.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	for end := time.Now().Add(time.Millisecond); s.most.Load() < 2 && time.Now().Before(end); {
		time.Sleep(10 * time.Microsecond)
	}
	if s.refuse != nil {
		return s.refuse(key)
	}
	return nil
}

func (s *serverLike) Retain(ctx context.Context, key, version string, until time.Time) error {
	if err := s.enter(key); err != nil {
		return err
	}
	return s.Store.Retain(ctx, key, version, until)
}

func (s *serverLike) Delete(ctx context.Context, key, version string) error {
	if err := s.enter(key); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, version)
}

func (s *serverLike) TidyUploads(_ context.Context, prefix string, _ time.Time) error {
	if prefix == vault.DefaultTenant+"/" {
		s.tidied.Add(1)
	}
	return nil
}

// concurrent checks that there were several calls at a time, and not too many.
func (s *serverLike) concurrent(t *testing.T) {
	t.Helper()
	if n := s.most.Load(); n < 2 || n > 8 {
		t.Errorf("%d calls of the store at a time, want 2 to 8", n)
	}
}

// newServerRig is a rig on such a store.
func newServerRig(t *testing.T) (*rig, *serverLike) {
	store := &serverLike{}
	r := newRig(t, func(r *rig, c *vault.Config) {
		store.Store = r.objects
		c.Objects = store
	})
	return r, store
}

// orphan puts an object that no document has.
func (r *rig) orphan(key string, opt objects.PutOptions) objects.Info {
	r.t.Helper()
	opt.Length = 1
	info, err := r.objects.Put(context.Background(), key, strings.NewReader("x"), opt)
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

// abandonedKeys are the keys in each event of abandoned objects.
func (r *rig) abandonedKeys() (all [][]string) {
	r.t.Helper()
	for _, rec := range r.records() {
		if rec.Type == "object.abandoned/2" {
			var data vault.ObjectsAbandonedData
			if err := json.Unmarshal(rec.Data, &data); err != nil {
				r.t.Fatal(err)
			}
			all = append(all, data.Keys)
		}
	}
	return all
}

// Orphans are swept in batches: one event for many, several calls at a time, and none of what a document has.
func TestSweepInBatches(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("sweeps thousands of objects")
	}
	r, store := newServerRig(t)
	kept := r.deposit(vault.Deposit{}, []byte("kept"))
	const orphans = 600
	for i := range orphans {
		r.orphan(fmt.Sprintf("default/%04d", i), objects.PutOptions{RetainUntil: r.clock.Now().Add(time.Hour)})
	}
	r.orphan("default/0007", objects.PutOptions{}) // a second version of one
	r.clock.Advance(25 * time.Hour)
	n, err := r.vault.Sweep(context.Background(), r.tenant)
	if err != nil || n != orphans+1 {
		t.Errorf("swept %d, %v; want %d", n, err, orphans+1)
	}
	var keys []string
	events := r.abandonedKeys()
	for _, batch := range events {
		keys = append(keys, batch...)
	}
	slices.Sort(keys)
	if len(events) != 3 || len(keys) != orphans || len(slices.Compact(keys)) != orphans {
		t.Errorf("%d events name %d keys", len(events), len(keys))
	}
	store.concurrent(t)
	if store.tidied.Load() != 1 {
		t.Error("the store was not asked to forget uploads that never ended")
	}
	if got, err := r.read(kept.ID); err != nil || string(got) != "kept" {
		t.Errorf("after the sweep: %q, %v", got, err)
	}
	if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 0 || err != nil || len(r.abandonedKeys()) != 3 {
		t.Errorf("a second sweep: %d, %v", n, err)
	}
}

// Keys that others have put there, as long as they can be, still fit into an event.
func TestSweepLongKeys(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes hundreds of objects")
	}
	r, _ := newServerRig(t)
	long := strings.Repeat(strings.Repeat("k", 160)+"/", 4)[:objects.MaxKey-len("default/")-4]
	for i := range 200 {
		r.orphan(fmt.Sprintf("default/%s%04d", long, i), objects.PutOptions{})
	}
	r.clock.Advance(25 * time.Hour)
	if n, err := r.vault.Sweep(context.Background(), r.tenant); err != nil || n != 200 {
		t.Errorf("swept %d, %v", n, err)
	}
	if events := r.abandonedKeys(); len(events) < 2 {
		t.Errorf("%d events for 200 long keys", len(events))
	}
}

// A lock or hold that the list does not show keeps an object, and no event calls it abandoned.
func TestSweepAsksForLocks(t *testing.T) {
	t.Parallel()
	r, store := newServerRig(t)
	r.orphan("default/locked", objects.PutOptions{RetainUntil: r.clock.Now().AddDate(0, 0, 90)})
	held := r.orphan("default/held", objects.PutOptions{})
	if err := r.objects.Hold(context.Background(), held.Key, held.Version, true); err != nil {
		t.Fatal(err)
	}
	r.orphan("default/young", objects.PutOptions{})
	r.clock.Advance(23 * time.Hour)
	if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	r.clock.Advance(2 * time.Hour)
	if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 1 || err != nil {
		t.Errorf("swept %d, %v; want the young one", n, err)
	}
	if got := r.abandonedKeys(); len(got) != 1 || !slices.Equal(got[0], []string{"default/young"}) {
		t.Errorf("abandoned: %v", got)
	}
	if n := store.calls.Load(); n != 1 {
		t.Errorf("%d deletions were tried, want one", n)
	}
}

// An orphan that the store refuses to delete keeps no other one.
func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	r, store := newServerRig(t)
	for i := range 50 {
		r.orphan(fmt.Sprintf("default/%02d", i), objects.PutOptions{})
	}
	r.clock.Advance(25 * time.Hour)
	store.refuse = func(key string) error {
		if key < "default/10" {
			return fmt.Errorf("test: %w", objects.ErrDamaged)
		}
		return nil
	}
	if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 40 || err != nil {
		t.Errorf("swept %d, %v; want all but ten", n, err)
	}
	if !bytes.Contains(r.log.Bytes(), []byte("orphans could not be swept")) {
		t.Error("the log tells nothing of the others")
	}
	store.refuse = nil
	if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 10 || err != nil {
		t.Errorf("then swept %d, %v; want the rest", n, err)
	}
}

// A sweep that the store stops in the middle goes on with the next one, without a second event.
func TestSweepStops(t *testing.T) {
	t.Parallel()
	r, store := newServerRig(t)
	for i := range 50 {
		r.orphan(fmt.Sprintf("default/%02d", i), objects.PutOptions{})
	}
	r.clock.Advance(25 * time.Hour)
	var mu sync.Mutex
	left := 10
	store.refuse = func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if left--; left < 0 {
			return fmt.Errorf("test: %w", objects.ErrUnavailable)
		}
		return nil
	}
	n, err := r.vault.Sweep(context.Background(), r.tenant)
	if n != 10 || err == nil {
		t.Errorf("swept %d, %v; want 10 and an error", n, err)
	}
	if calls := store.calls.Load(); calls > 10+8 {
		t.Errorf("%d deletions were tried after the store had failed", calls-10)
	}
	store.refuse = nil
	if n, err := r.vault.Sweep(context.Background(), r.tenant); n != 40 || err != nil {
		t.Errorf("then swept %d, %v; want 40", n, err)
	}
	if got := r.abandonedKeys(); len(got) != 1 || len(got[0]) != 50 {
		t.Errorf("abandoned in %d events", len(got))
	}
}

// Probes of the store are swept too.
func TestSweepTidiesProbes(t *testing.T) {
	t.Parallel()
	r, _ := newServerRig(t)
	cfg := objects.AttestConfig{Clock: r.clock, Rand: r.cfg.Rand}
	if _, err := objects.Attest(context.Background(), r.objects, cfg); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(25 * time.Hour)
	if _, err := r.vault.Sweep(context.Background(), r.tenant); err != nil {
		t.Fatal(err)
	}
	for info, err := range r.objects.List(context.Background(), "", "") {
		t.Errorf("%+v is left, %v", info, err)
	}
}

// Locks are rolled many to an event, several calls at a time.
func TestLocksInBatches(t *testing.T) {
	t.Parallel()
	r, store := newServerRig(t)
	const documents = 40
	for i := range documents {
		r.deposit(vault.Deposit{}, []byte{byte(i)})
	}
	settled := func() int {
		records, err := r.journal.Records(context.Background(), "system", 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, rec := range records {
			if rec.Type == "duty.settled/1" && bytes.Contains(rec.Data, []byte(`"lock"`)) {
				n++
			}
		}
		return n
	}
	before := settled()
	r.clock.Advance(2 * time.Hour)
	r.settle()
	if calls, n := store.calls.Load(), settled()-before; calls != documents || n != 1 {
		t.Errorf("%d locks took %d calls and %d events", documents, calls, n)
	}
	store.concurrent(t)
	if owed, err := r.journal.Owed(context.Background(), "lock"); err != nil || owed != documents {
		t.Errorf("%d locks are owed, %v", owed, err)
	}
	if batch := vault.LockWorker(r.vault).Batch; batch != 1000 {
		t.Errorf("a batch is %d locks: a million would cost %d events", batch, 1_000_000/batch)
	}
}

// A lock that fails is tried again later and holds up no other; a store that is away stops the batch.
func TestLocksFail(t *testing.T) {
	t.Parallel()
	r, store := newServerRig(t)
	var docs []vault.Deposited
	for i := range 40 {
		docs = append(docs, r.deposit(vault.Deposit{}, []byte{byte(i)}))
	}
	r.clock.Advance(2 * time.Hour)
	var first string
	var mu sync.Mutex
	store.refuse = func(key string) error {
		mu.Lock()
		defer mu.Unlock()
		if first == "" {
			first = key
		}
		if key == first {
			return fmt.Errorf("test: %w", objects.ErrDamaged)
		}
		return nil
	}
	done, err := r.journal.WorkOnce(context.Background(), vault.LockWorker(r.vault))
	if done != len(docs)-1 || err == nil {
		t.Errorf("%d locks done, %v; want all but one", done, err)
	}
	r.clock.Advance(61 * 24 * time.Hour)
	before := store.calls.Load()
	store.refuse = func(string) error { return fmt.Errorf("test: %w", objects.ErrUnavailable) }
	done, err = r.journal.WorkOnce(context.Background(), vault.LockWorker(r.vault))
	if calls := store.calls.Load() - before; done != 0 || err == nil || calls > 3*8 {
		t.Errorf("of a store that is away: %d locks done by %d calls, %v", done, calls, err)
	}
	store.refuse = nil
	r.clock.Advance(2 * time.Minute) // those that have failed are tried again
	if done, err := r.journal.WorkOnce(context.Background(), vault.LockWorker(r.vault)); done != len(docs) ||
		err != nil {
		t.Errorf("then %d locks done, %v", done, err)
	}
}

// A retention date that has passed needs no lock, which stores would refuse.
func TestLockUntilPassedDate(t *testing.T) {
	t.Parallel()
	var faulty *objectstest.Faulty
	var until time.Time
	r := newRig(t, func(r *rig, c *vault.Config) {
		faulty = objectstest.NewFaulty(t, r.objects)
		until = r.clock.Now().Add(time.Minute)
		c.Objects, c.Rules = faulty, scheduled{c.Rules, until}
	})
	r.deposit(vault.Deposit{}, []byte("x"))
	r.clock.Advance(2 * time.Hour)
	r.settle()
	if n := faulty.Calls(objectstest.Retain); n != 0 {
		t.Errorf("%d locks into the past", n)
	}
	if owed, err := r.journal.Owed(context.Background(), "lock"); err != nil || owed != 0 {
		t.Errorf("%d locks owed, %v", owed, err)
	}
}
