package objectstest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"muniment/anchor/processtest"
	"muniment/vault/objects"
)

func testUnversioned(e *env) {
	key, body := e.key("a"), content(100)
	e.put(key, content(50), objects.PutOptions{})
	e.put(key, body, objects.PutOptions{})
	if n := len(e.list(key, "")); n != 1 {
		e.Errorf("there are %d states of one key", n)
	}
	e.fails("Retain", e.store.Retain(e.Context(), key, "", e.now().Add(time.Hour)), errors.ErrUnsupported)
	e.fails("Hold", e.store.Hold(e.Context(), key, "", true), errors.ErrUnsupported)
	opt := objects.PutOptions{Length: 10, RetainUntil: e.now().Add(time.Hour)}
	_, err := e.store.Put(e.Context(), key, bytes.NewReader(content(10)), opt)
	e.fails("Put with a lock", err, errors.ErrUnsupported)
	e.holds(key, "", body)
}

func testVersions(e *env) {
	key := e.key("a")
	var bodies [][]byte
	var versions []string
	for i := range 4 {
		bodies = append(bodies, content(100+i))
		versions = append(versions, e.put(key, bodies[i], objects.PutOptions{}).Version)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(versions))); len(distinct) != len(versions) {
		e.Fatalf("versions repeat: %v", versions)
	}
	for i, version := range versions {
		e.holds(key, version, bodies[i])
		stat, err := e.store.Stat(e.Context(), key, version)
		e.succeeds("Stat", err)
		e.equal("the size of an earlier version", stat.Size, int64(len(bodies[i])))
	}
	_, err := e.store.Stat(e.Context(), e.key("b"), versions[0])
	e.fails("Stat of another key's version", err, objects.ErrNotFound)
	if err := e.store.Delete(e.Context(), key, ""); err == nil {
		e.Error("Delete without a version says that it succeeded")
	}
	e.holds(key, "", bodies[3])

	e.succeeds("Delete of a version in the middle", e.store.Delete(e.Context(), key, versions[1]))
	_, err = e.store.Stat(e.Context(), key, versions[1])
	e.fails("Stat of a deleted version", err, objects.ErrNotFound)
	_, _, err = e.store.Get(e.Context(), key, versions[1], nil)
	e.fails("Get of a deleted version", err, objects.ErrNotFound)
	e.holds(key, "", bodies[3])
	e.succeeds("Delete of the newest version", e.store.Delete(e.Context(), key, versions[3]))
	e.holds(key, "", bodies[2])
	e.holds(key, versions[0], bodies[0])

	before, err := e.store.Stat(e.Context(), key, "")
	e.succeeds("Stat", err)
	e.put(key, bodies[1], objects.PutOptions{Condition: objects.Condition{Tag: before.Tag}})
}

// lock is when a lock of the suite ends: kept by stores to the second, rounded up.
func (e *env) lock(after time.Duration) (asked, kept time.Time) {
	asked = e.now().Add(after)
	kept = asked.UTC().Truncate(time.Second)
	if kept.Before(asked) {
		kept = kept.Add(time.Second)
	}
	return asked, kept
}

func (e *env) lockedUntil(key, version string, want time.Time) {
	e.Helper()
	stat, err := e.store.Stat(e.Context(), key, version)
	e.succeeds("Stat", err)
	if !stat.RetainUntil.Equal(want) || stat.RetainUntil.Location() != time.UTC {
		e.Errorf("locked until %v, want %v", stat.RetainUntil, want.UTC())
	}
}

func testRetention(e *env) {
	key, body := e.key("a"), content(100)
	asked, kept := e.lock(time.Hour)
	put := e.put(key, body, objects.PutOptions{RetainUntil: asked.In(time.FixedZone("elsewhere", 3600))})
	if !put.RetainUntil.Equal(kept) {
		e.Errorf("Put says locked until %v, want %v", put.RetainUntil, kept)
	}
	e.lockedUntil(key, put.Version, kept)
	e.fails("Delete under a lock", e.store.Delete(e.Context(), key, put.Version), objects.ErrLocked)
	e.holds(key, put.Version, body)

	later, keptLater := e.lock(2 * time.Hour)
	e.succeeds("Retain until later", e.store.Retain(e.Context(), key, put.Version, later))
	e.lockedUntil(key, put.Version, keptLater)
	e.succeeds("Retain until the same", e.store.Retain(e.Context(), key, put.Version, keptLater))
	for _, earlier := range []time.Time{asked, keptLater.Add(-time.Second), e.now().Add(-time.Hour), {}} {
		e.fails("Retain until earlier", e.store.Retain(e.Context(), key, put.Version, earlier), objects.ErrLocked)
	}
	e.lockedUntil(key, put.Version, keptLater)
	e.fails("Delete under an extended lock", e.store.Delete(e.Context(), key, put.Version), objects.ErrLocked)

	free := e.put(e.key("b"), body, objects.PutOptions{})
	e.lockedUntil(e.key("b"), free.Version, time.Time{})
	e.succeeds("Retain of what had no lock", e.store.Retain(e.Context(), e.key("b"), free.Version, asked))
	e.fails("Delete under a lock set later", e.store.Delete(e.Context(), e.key("b"), free.Version), objects.ErrLocked)
	for _, info := range e.list(e.prefix, "") {
		if info.RetainUntil.IsZero() && !e.opt.BareLists {
			e.Errorf("List shows no lock of %+v", info)
		}
	}
	e.fails("Retain of nothing", e.store.Retain(e.Context(), e.key("c"), e.someVersion(), asked), objects.ErrNotFound)
	e.fails("Retain of no version", e.store.Retain(e.Context(), key, e.someVersion(), asked), objects.ErrNotFound)
	e.fails("Retain, canceled", e.store.Retain(ended(e.Context()), key, put.Version, later), context.Canceled)
	e.holds(key, put.Version, body)
}

func testLockEnds(e *env) {
	if e.opt.Clock == nil {
		e.lockEndsByItself()
		return
	}
	key := e.key("a")
	asked, kept := e.lock(time.Hour)
	put := e.put(key, content(100), objects.PutOptions{RetainUntil: asked})
	e.opt.Clock.Advance(kept.Sub(e.now()) - time.Nanosecond)
	e.fails("Delete at the last moment of a lock", e.store.Delete(e.Context(), key, put.Version), objects.ErrLocked)
	e.opt.Clock.Advance(time.Nanosecond)
	e.lockedUntil(key, put.Version, kept)
	e.fails("Retain until before a lock that has ended",
		e.store.Retain(e.Context(), key, put.Version, asked.Add(-time.Minute)), objects.ErrLocked)
	e.succeeds("Delete after the lock", e.store.Delete(e.Context(), key, put.Version))
	e.absent(key)
}

// lockEndsByItself waits for a short lock to end by the clock of a server.
func (e *env) lockEndsByItself() {
	key := e.key("a")
	asked, kept := e.lock(2 * time.Second)
	put := e.put(key, content(100), objects.PutOptions{RetainUntil: asked})
	processtest.Await(e, "a lock has ended", func() bool {
		err := e.store.Delete(e.Context(), key, put.Version)
		now := time.Now()
		switch {
		case err == nil && now.Before(kept.Add(-time.Second)): // the clocks may differ a little
			e.Errorf("Delete at %v of what is locked until %v", now, kept)
		case err != nil && errors.Is(err, objects.ErrUnavailable) && now.After(kept):
			// The lock has ended between the refusal of the deletion and the question why.
		case err != nil:
			e.fails("Delete under a lock", err, objects.ErrLocked)
		}
		return err == nil
	})
	e.absent(key)
}

func testHold(e *env) {
	key, body := e.key("a"), content(100)
	put := e.put(key, body, objects.PutOptions{})
	if put.Held {
		e.Error("a new object is held")
	}
	hold := func(on bool) {
		e.Helper()
		for range 2 { // it is idempotent
			e.succeeds("Hold", e.store.Hold(e.Context(), key, put.Version, on))
		}
		stat, err := e.store.Stat(e.Context(), key, put.Version)
		e.succeeds("Stat", err)
		e.equal("held", stat.Held, on)
		for _, info := range e.list(key, "") {
			if !e.opt.BareLists {
				e.equal("held, as List has it", info.Held, on)
			}
		}
	}
	hold(true)
	e.fails("Delete of what is held", e.store.Delete(e.Context(), key, put.Version), objects.ErrLocked)
	asked, kept := e.lock(time.Hour)
	e.succeeds("Retain of what is held", e.store.Retain(e.Context(), key, put.Version, asked))
	hold(false)
	e.lockedUntil(key, put.Version, kept)
	e.fails("Delete of what is locked, after the hold",
		e.store.Delete(e.Context(), key, put.Version), objects.ErrLocked)
	hold(true)
	if e.opt.Clock != nil {
		e.opt.Clock.Advance(2 * time.Hour)
		e.fails("Delete of what is held, after the lock",
			e.store.Delete(e.Context(), key, put.Version), objects.ErrLocked)
		hold(false)
		e.succeeds("Delete after hold and lock", e.store.Delete(e.Context(), key, put.Version))
		e.absent(key)
	}
	e.fails("Hold of nothing", e.store.Hold(e.Context(), e.key("b"), e.someVersion(), true), objects.ErrNotFound)
	e.fails("Hold, canceled", e.store.Hold(ended(e.Context()), key, put.Version, true), context.Canceled)
}

func testLocksApart(e *env) {
	key := e.key("a")
	asked, kept := e.lock(time.Hour)
	oldest, middle, newest := content(10), content(20), content(30)
	one := e.put(key, oldest, objects.PutOptions{RetainUntil: asked})
	two := e.put(key, middle, objects.PutOptions{})
	three := e.put(key, newest, objects.PutOptions{})
	e.succeeds("Hold of the newest", e.store.Hold(e.Context(), key, three.Version, true))
	e.succeeds("Delete of the free version", e.store.Delete(e.Context(), key, two.Version))
	e.fails("Delete of the locked version", e.store.Delete(e.Context(), key, one.Version), objects.ErrLocked)
	e.fails("Delete of the held version", e.store.Delete(e.Context(), key, three.Version), objects.ErrLocked)
	e.lockedUntil(key, one.Version, kept)
	e.lockedUntil(key, three.Version, time.Time{})
	e.holds(key, one.Version, oldest)
	e.holds(key, "", newest)
	e.succeeds("Hold lifted", e.store.Hold(e.Context(), key, three.Version, false))
	e.succeeds("Delete of the newest", e.store.Delete(e.Context(), key, three.Version))
	e.lockedUntil(key, "", kept)
}
