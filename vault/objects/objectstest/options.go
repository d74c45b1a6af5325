// Package objectstest is the conformance suite of objects.Store: what every implementation must show before anything is
// built upon it. It also has a wrapper, Faulty, that makes a store fail in the ways that stores do.
package objectstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/vault/objects"
)

// Options say what kind of store is tested.
type Options struct {
	// Unversioned stores keep one state of each key and have no locks.
	Unversioned bool
	// Clock is the clock that the store's locks end by. Without one (a server has its own) nothing is shown of the end
	// of locks, and the suite says so.
	Clock *Clock
	// Flat stores keep no key that begins with another one and a slash (a and a/b), as those on file systems. The suite
	// leaves such keys out.
	Flat bool
	// BareLists says that lists tell nothing of locks and holds.
	BareLists bool
	// Versions is how many versions of one key are written to see them listed in pages; 0: 30. For a server, more than
	// its page.
	Versions int
	// Large is the size of the largest body, in bytes; 0: 1 MiB. For a server, more than one part.
	Large int
}

// Clock is a clock that moves when it is told to.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock is a clock that stands at a moment with parts of a second, so that rounding shows.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)}
}

// Now is the time that the clock stands at.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Run runs the suite. open gives a store that may hold other things: every test keeps to a prefix of its own, so that
// all can share a bucket. Objects that tests lock or hold stay behind.
func Run(t *testing.T, open func(t *testing.T) objects.Store, o Options) {
	if o.Versions == 0 {
		o.Versions = 30
	}
	if o.Large == 0 {
		o.Large = 1 << 20
	}
	run := func(name string, test func(*env)) {
		t.Run(name, func(t *testing.T) {
			if o.Clock == nil { // which all tests would move
				t.Parallel()
			}
			test(&env{T: t, store: open(t), opt: o, prefix: "conformance-" + random(8) + "/"})
		})
	}
	run("Put", testPut)
	run("PutReadsTheWholeBody", testLengths)
	run("PutStoresNothingOfABrokenBody", testBrokenBodies)
	run("PutUnderCanceledContext", testCanceled)
	run("Conditions", testConditions)
	run("RaceForAbsent", testRaceAbsent)
	run("RaceForTag", testRaceTag)
	run("Get", testGet)
	run("GetIsWholeWhileReplaced", testReplacedWhileRead)
	run("Spans", testSpans)
	run("Keys", testKeys)
	run("KeysThatShareNames", testNeighbours)
	run("Delete", testDelete)
	run("List", testList)
	run("ListStops", testListStops)
	run("Check", testCheck)
	run("Concurrency", testConcurrency)
	if o.Unversioned {
		run("Unversioned", testUnversioned)
		return
	}
	run("Versions", testVersions)
	run("ListVersions", testListVersions)
	run("RetentionLock", testRetention)
	run("LockEnds", testLockEnds)
	run("LegalHold", testHold)
	run("LocksOfVersionsAreApart", testLocksApart)
}

// env is one test's view of the store.
type env struct {
	*testing.T
	store  objects.Store
	opt    Options
	prefix string
}

func (e *env) key(name string) string { return e.prefix + name }

// put stores a body of known length and checks what Put says of it.
func (e *env) put(key string, body []byte, opt objects.PutOptions) objects.Info {
	e.Helper()
	opt.Length = int64(len(body))
	info, err := e.store.Put(e.Context(), key, bytes.NewReader(body), opt)
	if err != nil {
		e.Fatalf("Put: %v", err)
	}
	if info.Key != key || info.Size != int64(len(body)) || info.Tag == "" || (info.Version == "") != e.opt.Unversioned {
		e.Fatalf("Put of %d bytes says %+v", len(body), info)
	}
	return info
}

// read reads a version whole.
func (e *env) read(key, version string) ([]byte, objects.Info) {
	e.Helper()
	body, info, err := e.store.Get(e.Context(), key, version, nil)
	if err != nil {
		e.Fatalf("Get: %v", err)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		e.Fatalf("reading what Get opened: %v", err)
	}
	return data, info
}

// holds checks that a version reads back as it was put.
func (e *env) holds(key, version string, want []byte) {
	e.Helper()
	got, info := e.read(key, version)
	if !bytes.Equal(got, want) {
		e.Fatalf("an object of %d bytes reads back as %d other bytes", len(want), len(got))
	}
	if info.Size != int64(len(want)) {
		e.Fatalf("Get says %d bytes of an object of %d", info.Size, len(want))
	}
}

// absent checks that nothing is stored under the key, by every method that could show it.
func (e *env) absent(key string) {
	e.Helper()
	if _, err := e.store.Stat(e.Context(), key, ""); !errors.Is(err, objects.ErrNotFound) {
		e.Errorf("Stat of nothing: %v, want ErrNotFound", err)
	}
	if body, _, err := e.store.Get(e.Context(), key, "", nil); !errors.Is(err, objects.ErrNotFound) {
		e.Errorf("Get of nothing: %v, want ErrNotFound", err)
		if err == nil {
			body.Close()
		}
	}
	for _, info := range e.list(key, "") {
		if info.Key == key {
			e.Errorf("List shows %+v, where nothing was to be stored", info)
		}
	}
}

func (e *env) list(prefix, after string) []objects.Info {
	e.Helper()
	var all []objects.Info
	for info, err := range e.store.List(e.Context(), prefix, after) {
		if err != nil {
			e.Fatalf("List: %v", err)
		}
		all = append(all, info)
	}
	return all
}

func (e *env) fails(what string, err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s: %v, want %q", what, err, want)
	}
}

func (e *env) succeeds(what string, err error) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
}

func (e *env) equal(what string, got, want any) {
	e.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		e.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// now is the time by which the store's locks end.
func (e *env) now() time.Time {
	if e.opt.Clock != nil {
		return e.opt.Clock.Now()
	}
	return time.Now()
}

// flat leaves out of keys those that lie under another one, if the store cannot have both.
func (e *env) flat(names []string) []string {
	if !e.opt.Flat {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(names, func(other string) bool { return strings.HasPrefix(name, other+"/") })
	})
}

func random(n int) string { return hex.EncodeToString(content(n)) }

// content is n bytes that no other test has.
func content(n int) []byte {
	data := make([]byte, n)
	rand.Read(data) // never fails: crypto/rand
	return data
}

func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
