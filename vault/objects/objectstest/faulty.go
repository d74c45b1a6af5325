package objectstest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"
	"time"

	"muniment/vault/objects"
)

// Op is a method of a store.
type Op string

// The methods that can fail.
const (
	Put    Op = "put"
	Get    Op = "get"
	Stat   Op = "stat"
	Delete Op = "delete"
	Retain Op = "retain"
	Hold   Op = "hold"
	List   Op = "list"
	Check  Op = "check"
)

// Kind is a way to fail.
type Kind int

// The ways to fail.
const (
	Failed     Kind = iota // the call does nothing and returns the error
	TookEffect             // the call does its work, and its answer is lost: it returns the error
	Hang                   // the call does nothing until its context ends, and returns that
	HangAfter              // the call does its work and then hangs
	Cut                    // Get only: the body gives After bytes and then the error
	Stall                  // Get only: the body gives After bytes and then hangs until the context ends
)

// ErrInjected is the error of a Fault that has none of its own, wrapped in objects.ErrUnavailable.
var ErrInjected = errors.New("injected fault")

// Fault is something that will go wrong.
type Fault struct {
	Op    Op
	Kind  Kind
	Err   error // nil: ErrInjected
	Skip  int   // calls of Op that go well before
	Times int   // how many calls fail; 0: one; negative: all
	After int64 // bytes of a body, or objects of a List, that come through first
}

func (f Fault) err() error {
	if f.Err != nil {
		return f.Err
	}
	return fmt.Errorf("faulty store: %w: %w", objects.ErrUnavailable, ErrInjected)
}

// Faulty is a store that fails as told. Beside that it watches what the store within says, and fails the test if a
// version that was once seen is seen otherwise: its bytes, size and tag never change, a lock that a call has set is
// never seen shorter by a later one, and what was deleted never comes back.
type Faulty struct {
	t     testing.TB
	store objects.Store

	mu     sync.Mutex
	faults []Fault
	calls  map[Op]int
	seen   map[string]*sighting
}

var _ objects.Store = (*Faulty)(nil)

// NewFaulty wraps a store. Without a Fault armed it is that store.
func NewFaulty(t testing.TB, store objects.Store) *Faulty {
	return &Faulty{t: t, store: store, calls: map[Op]int{}, seen: map[string]*sighting{}}
}

// Arm adds a fault. Faults of one Op happen in the order in which they were armed.
func (f *Faulty) Arm(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.Times == 0 {
		fault.Times = 1
	}
	f.faults = append(f.faults, fault)
}

// Disarm removes the faults that have not happened, and says how many there were.
func (f *Faulty) Disarm() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.faults)
	f.faults = nil
	return n
}

// Calls is how often a method was called.
func (f *Faulty) Calls(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// next counts a call and takes the fault that is meant for it.
func (f *Faulty) next(op Op) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[op]++
	for i := range f.faults {
		fault := &f.faults[i]
		if fault.Op != op {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			return Fault{}, false
		}
		taken := *fault
		if fault.Times > 0 {
			if fault.Times--; fault.Times == 0 {
				f.faults = append(f.faults[:i], f.faults[i+1:]...)
			}
		}
		return taken, true
	}
	return Fault{}, false
}

// do makes a call, or has it fail. Kinds that concern the body alone let the call be made.
func (f *Faulty) do(ctx context.Context, op Op, call func() error) (Fault, error) {
	fault, armed := f.next(op)
	if !armed {
		return Fault{Kind: -1}, call()
	}
	hang := func() error {
		<-ctx.Done()
		return fmt.Errorf("faulty store: %w: %w", objects.ErrUnavailable, ctx.Err())
	}
	switch fault.Kind {
	case TookEffect:
		return fault, ownOr(call(), fault.err())
	case Hang:
		return fault, hang()
	case HangAfter:
		return fault, ownOr(call(), hang())
	case Cut, Stall:
		return fault, call()
	default:
		return fault, fault.err()
	}
}

// ownOr is the call's own error if it has one: a call that failed by itself took no effect.
func ownOr(own, injected error) error {
	if own != nil {
		return own
	}
	return injected
}

// Put stores an object, or fails.
func (f *Faulty) Put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info, error) {
	var info objects.Info
	_, err := f.do(ctx, Put, func() error {
		sum := sha256.New()
		var err error
		if info, err = f.store.Put(ctx, key, io.TeeReader(body, sum), opt); err == nil {
			f.watch(info, sum.Sum(nil))
			f.locked(key, info.Version, opt.RetainUntil)
		}
		return err
	})
	if err != nil {
		return objects.Info{}, err
	}
	return info, nil
}

// Get opens a version, or fails, now or while it is read.
func (f *Faulty) Get(ctx context.Context, key, version string, span *objects.Span) (io.ReadCloser, objects.Info,
	error) {
	var body io.ReadCloser
	var info objects.Info
	check := f.expect(key, version)
	fault, err := f.do(ctx, Get, func() (err error) {
		if body, info, err = f.store.Get(ctx, key, version, span); err == nil {
			f.watch(info, nil)
			check(info)
		}
		return err
	})
	if err != nil {
		if body != nil {
			body.Close()
		}
		return nil, objects.Info{}, err
	}
	switch fault.Kind {
	case Cut:
		body = &cutBody{ReadCloser: body, left: fault.After, fail: fault.err}
	case Stall:
		body = &cutBody{ReadCloser: body, left: fault.After, fail: func() error { <-ctx.Done(); return ctx.Err() }}
	default:
		if span == nil {
			body = &watchedBody{ReadCloser: body, sum: sha256.New(), whole: func(sum []byte) { f.watch(info, sum) }}
		}
	}
	return body, info, nil
}

// Stat describes a version, or fails.
func (f *Faulty) Stat(ctx context.Context, key, version string) (objects.Info, error) {
	var info objects.Info
	check := f.expect(key, version)
	_, err := f.do(ctx, Stat, func() (err error) {
		if info, err = f.store.Stat(ctx, key, version); err == nil {
			f.watch(info, nil)
			check(info)
		}
		return err
	})
	if err != nil {
		return objects.Info{}, err
	}
	return info, nil
}

// Delete removes a version, or fails.
func (f *Faulty) Delete(ctx context.Context, key, version string) error {
	_, err := f.do(ctx, Delete, func() error {
		err := f.store.Delete(ctx, key, version)
		if err == nil && version != "" {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.sighting(key, version).deleted = true
		}
		return err
	})
	return err
}

// Retain extends a lock, or fails.
func (f *Faulty) Retain(ctx context.Context, key, version string, until time.Time) error {
	_, err := f.do(ctx, Retain, func() error {
		err := f.store.Retain(ctx, key, version, until)
		if err == nil {
			f.locked(key, version, until)
		}
		return err
	})
	return err
}

// Hold sets or lifts a hold, or fails.
func (f *Faulty) Hold(ctx context.Context, key, version string, on bool) error {
	_, err := f.do(ctx, Hold, func() error { return f.store.Hold(ctx, key, version, on) })
	return err
}

// List lists, or fails after some.
func (f *Faulty) List(ctx context.Context, prefix, after string) iter.Seq2[objects.Info, error] {
	return func(yield func(objects.Info, error) bool) {
		left, failure := int64(-1), error(nil)
		if fault, err := f.do(ctx, List, func() error { return nil }); err != nil {
			left, failure = fault.After, err
		}
		for info, err := range f.store.List(ctx, prefix, after) {
			if left == 0 {
				break
			}
			left--
			if err == nil {
				f.watch(info, nil)
			}
			if !yield(info, err) {
				return
			}
		}
		if failure != nil {
			yield(objects.Info{}, failure)
		}
	}
}

// Check checks, or fails.
func (f *Faulty) Check(ctx context.Context) error {
	_, err := f.do(ctx, Check, func() error { return f.store.Check(ctx) })
	return err
}

// cutBody gives some bytes and then fails.
type cutBody struct {
	io.ReadCloser
	left int64
	fail func() error
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.fail()
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
