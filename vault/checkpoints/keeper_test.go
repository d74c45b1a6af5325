package checkpoints_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muniment/anchor/journal/journaltest"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
	"muniment/vault/objects/objectstest"
)

// TestKeptEachMinuteThatHadNews: news is kept under a lock of 35 days, no news costs nothing.
func TestKeptEachMinuteThatHadNews(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keeper.Turn(t.Context())
	if n := len(r.stored()); n != 0 {
		t.Fatalf("%d objects before anything was signed", n)
	}
	c := r.sign(t, 7)
	r.keeper.Turn(t.Context())
	r.clock.Advance(time.Minute)
	r.keeper.Turn(t.Context())
	got := r.stored()
	if len(got) != 1 || got[0].Key != keyOf(t, checkpoint(t, origin, 7)) ||
		got[0].RetainUntil.Before(r.clock.Now().Add(checkpoints.Lock-2*time.Minute)) {
		t.Fatalf("stored: %+v", got)
	}
	if err := r.store.Delete(t.Context(), got[0].Key, got[0].Version); !errors.Is(err, objects.ErrLocked) {
		t.Errorf("deleting it says %v", err)
	}
	r.sign(t, 9)
	r.sign(t, 12)
	r.keeper.Turn(t.Context())
	if got := r.stored(); len(got) != 2 || got[0].Key != keyOf(t, checkpoint(t, origin, 12)) {
		t.Errorf("after two more: %+v", got)
	}
	if newest, err := r.newest(); err != nil || newest.Size != 12 || newest.Root == c.Root {
		t.Errorf("the newest is %+v, %v", newest, err)
	}
}

// TestRunWorksByTheMinute: the worker writes at its start, each minute, and at its end.
func TestRunWorksByTheMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, stop := context.WithCancel(t.Context())
		var worker sync.WaitGroup
		r.sign(t, 1)
		worker.Go(func() { r.keeper.Run(ctx) })
		synctest.Wait()
		kept := func(n int, when string) {
			t.Helper()
			synctest.Wait()
			if got := r.stored(); len(got) != n {
				t.Errorf("%s: %d are kept, want %d", when, len(got), n)
			}
		}
		kept(1, "at the start")
		r.sign(t, 2)
		time.Sleep(59 * time.Second)
		kept(1, "before the minute is over")
		time.Sleep(2 * time.Second)
		kept(2, "after the minute")
		time.Sleep(time.Hour)
		kept(2, "after a quiet hour")
		r.sign(t, 3)
		stop()
		worker.Wait()
		kept(3, "at the end")
	})
}

// TestTheNewestIsRolledOn: while nothing is signed, the newest stays locked; a store that refuses gets it anew.
func TestTheNewestIsRolledOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sign(t, 7)
	r.keeper.Turn(t.Context())
	for range 100 {
		r.clock.Advance(24 * time.Hour)
		r.keeper.Turn(t.Context())
		got := r.stored()
		if len(got) != 1 || got[0].RetainUntil.Sub(r.clock.Now()) < 6*24*time.Hour {
			t.Fatalf("stored: %+v", got)
		}
	}
	if n := r.faulty.Calls(objectstest.Retain); n > 4 {
		t.Errorf("locked again %d times in 100 days", n)
	}
	r.clock.Advance(40 * 24 * time.Hour)
	got := r.stored()[0]
	if err := r.store.Delete(t.Context(), got.Key, got.Version); err != nil {
		t.Fatal(err)
	}
	r.keeper.Turn(t.Context())
	if got := r.stored(); len(got) != 1 || got[0].RetainUntil.Before(r.clock.Now().Add(34*24*time.Hour)) {
		t.Errorf("after it was gone: %+v", got)
	}
}

// TestOthersAreRolledOn: what else is to stay locked, such as the owner object, is locked again in time.
func TestOthersAreRolledOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := objects.ClaimOwner(t.Context(), r.store, objects.DocumentsOwner, journaltest.ID, r.clock.Now(),
		r.clock.Now().Add(checkpoints.Lock)); err != nil {
		t.Fatal(err)
	}
	r.locked = []string{objects.DocumentsOwner}
	r.open(checkpoints.Kept{})
	for range 60 {
		r.clock.Advance(24 * time.Hour)
		r.keeper.Turn(t.Context())
		info, err := r.store.Stat(t.Context(), objects.DocumentsOwner, "")
		if err != nil || info.RetainUntil.Sub(r.clock.Now()) < 5*24*time.Hour {
			t.Fatalf("the owner object is locked until %s at %s, %v", info.RetainUntil, r.clock.Now(), err)
		}
	}
}

// TestAKeeperGoesOnAfterARestart: what was kept before is known, and rolled on.
func TestAKeeperGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sign(t, 7)
	r.keeper.Turn(t.Context())
	newest, err := r.newest()
	if err != nil {
		t.Fatal(err)
	}
	r.open(newest)
	r.keeper.Turn(t.Context())
	if n := len(r.stored()); n != 1 {
		t.Errorf("%d are kept after a restart without news", n)
	}
	r.clock.Advance(33 * 24 * time.Hour)
	r.keeper.Turn(t.Context())
	if got := r.stored(); len(got) != 1 || got[0].RetainUntil.Before(r.clock.Now().Add(34*24*time.Hour)) {
		t.Errorf("stored: %+v", got)
	}
}

// TestKeepWaitsForTheLock: nil means that a locked checkpoint covers the size, and nothing else does.
func TestKeepWaitsForTheLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sign(t, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.keeper.Keep(ctx, 5); !errors.Is(err, checkpoints.ErrUnkept) ||
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while nothing is signed: %v", err)
		}
		var acts sync.WaitGroup
		for range 10 {
			acts.Go(func() {
				if err := r.keeper.Keep(t.Context(), 5); err != nil {
					t.Error(err)
				}
				if got := r.stored(); len(got) != 1 || got[0].Key != keyOf(t, checkpoint(t, origin, 6)) {
					t.Errorf("when it returned: %+v", got)
				}
			})
		}
		synctest.Wait()
		r.sign(t, 6)
		acts.Wait()
		if n := r.faulty.Calls(objectstest.Put); n != 1 {
			t.Errorf("ten acts at once took %d writes", n)
		}
		if err := r.keeper.Keep(t.Context(), 4); err != nil || r.faulty.Calls(objectstest.Put) != 1 {
			t.Errorf("for what is covered already: %v", err)
		}
	})
}

// TestKeepWhileTheStoreIsAway: the caller is told at once, the worker goes on, and health can tell.
func TestKeepWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sign(t, 5)
	r.faulty.Arm(objectstest.Fault{Op: objectstest.Put, Times: 2})
	if err := r.keeper.Keep(t.Context(), 5); !errors.Is(err, checkpoints.ErrUnkept) ||
		!errors.Is(err, objects.ErrUnavailable) {
		t.Errorf("while the store is away: %v", err)
	}
	began := r.clock.Now()
	r.clock.Advance(time.Minute)
	r.keeper.Turn(t.Context())
	if s := r.keeper.Status(t.Context()); s.Failure == nil || !s.Since.Equal(began) || s.Behind != 5 || s.Size != 0 {
		t.Errorf("status: %+v", s)
	}
	r.clock.Advance(time.Minute)
	r.keeper.Turn(t.Context())
	s := r.keeper.Status(t.Context())
	if s.Failure != nil || !s.Since.IsZero() || s.Behind != 0 || s.Size != 5 || !s.At.Equal(r.clock.Now()) {
		t.Errorf("status: %+v", s)
	}
	if err := r.keeper.Keep(t.Context(), 5); err != nil {
		t.Error(err)
	}
	r.clock.Advance(36 * 24 * time.Hour)
	r.faulty.Arm(objectstest.Fault{Op: objectstest.Put})
	if err := r.keeper.Keep(t.Context(), 5); !errors.Is(err, checkpoints.ErrUnkept) {
		t.Errorf("after its lock has run out: %v", err)
	}
}

// TestWhatRanOutIsDeleted: but for one of each day, for 400 days.
func TestWhatRanOutIsDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store = &memoryStore{clock: r.clock} // of fifteen months with two checkpoints a day
	r.faulty = objectstest.NewFaulty(t, r.store)
	r.open(checkpoints.Kept{})
	r.put("default/a-document", []byte("x"))
	size := uint64(0)
	for day := range 460 {
		for range 2 {
			size++
			r.sign(t, size)
			if day < 430 { // as if the store had refused to delete anything so far
				if err := r.keeper.Keep(t.Context(), size); err != nil {
					t.Fatal(err)
				}
			} else {
				r.keeper.Turn(t.Context())
			}
			r.clock.Advance(12 * time.Hour)
		}
	}
	days := map[string]int{}
	locked := 0
	for _, info := range r.stored() {
		if info.Key == "default/a-document" {
			continue
		}
		if r.clock.Now().Sub(info.Modified) > 402*24*time.Hour {
			t.Errorf("%s of %s is still there", info.Key, info.Modified)
		}
		if r.clock.Now().Before(info.RetainUntil) {
			locked++
			continue
		}
		days[info.Modified.Format(time.DateOnly)]++
	}
	for day, n := range days {
		if n > 2 || n == 2 && r.clock.Now().Sub(journaltest.Must(time.Parse(time.DateOnly, day))) > 38*24*time.Hour {
			t.Errorf("%d are left of %s", n, day)
		}
	}
	if len(days) < 360 || len(days) > 372 || locked < 69 || locked > 71 {
		t.Errorf("one is left of %d days, and %d are locked", len(days), locked)
	}
	if got := r.stored(); got[0].Key != "default/a-document" {
		t.Error("an object that is no checkpoint was deleted")
	}
}

// TestJunkTakesNoDay: an object that we have not signed does not take the place of one that we have.
func TestJunkTakesNoDay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sign(t, 5)
	r.keeper.Turn(t.Context())
	r.put(keyOf(t, forged(t, origin, 99)), []byte("junk"))
	r.clock.Advance(time.Hour)
	r.sign(t, 6)
	r.keeper.Turn(t.Context())
	r.clock.Advance(36 * 24 * time.Hour)
	r.sign(t, 7)
	r.keeper.Turn(t.Context())
	var keys []string
	for _, info := range r.stored() {
		keys = append(keys, info.Key)
	}
	want := []string{keyOf(t, checkpoint(t, origin, 7)), keyOf(t, checkpoint(t, origin, 6))}
	if !slices.Equal(keys, want) {
		t.Errorf("left are %v", keys)
	}
}
