package objectstest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
)

func openDir(t *testing.T, path string, versioned bool, clock *objectstest.Clock) *dir.Store {
	t.Helper()
	s, err := dir.Open(t.Context(),
		dir.Config{Dir: path, Versioned: versioned, Create: true, Clock: clock, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestFaultyConforms runs the suite over the wrapper with nothing armed: it must not be in the way.
func TestFaultyConforms(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the suite over the wrapper; package dir runs it over the store within")
	}
	t.Parallel()
	for _, versioned := range []bool{true, false} {
		t.Run(fmt.Sprintf("versioned=%t", versioned), func(t *testing.T) {
			t.Parallel()
			clock, path := objectstest.NewClock(), t.TempDir()
			open := func(t *testing.T) objects.Store {
				return objectstest.NewFaulty(t, openDir(t, path, versioned, clock))
			}
			objectstest.Run(t, open, objectstest.Options{Unversioned: !versioned, Clock: clock})
		})
	}
}

// call makes a call of the method, on key "a" or what is left of it.
func call(ctx context.Context, s objects.Store, op objectstest.Op, version string) error {
	var err error
	switch op {
	case objectstest.Put:
		_, err = s.Put(ctx, "b", strings.NewReader("other"), objects.PutOptions{Length: 5})
	case objectstest.Get:
		var body io.ReadCloser
		if body, _, err = s.Get(ctx, "a", version, nil); err == nil {
			_, err = io.ReadAll(body)
			body.Close()
		}
	case objectstest.Stat:
		_, err = s.Stat(ctx, "a", version)
	case objectstest.Delete:
		err = s.Delete(ctx, "a", version)
	case objectstest.Retain:
		err = s.Retain(ctx, "a", version, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	case objectstest.Hold:
		err = s.Hold(ctx, "a", version, true)
	case objectstest.List:
		for _, err = range s.List(ctx, "", "") {
		}
	case objectstest.Check:
		err = s.Check(ctx)
	}
	return err
}

var (
	writes = []objectstest.Op{objectstest.Put, objectstest.Delete, objectstest.Retain, objectstest.Hold}
	reads  = []objectstest.Op{objectstest.Get, objectstest.Stat, objectstest.List, objectstest.Check}
)

// effect says whether a write took effect on the store within.
func effect(t *testing.T, s objects.Store, op objectstest.Op, version string) bool {
	t.Helper()
	if op == objectstest.Put {
		_, err := s.Stat(t.Context(), "b", "")
		return err == nil
	}
	info, err := s.Stat(t.Context(), "a", version)
	switch op {
	case objectstest.Delete:
		return errors.Is(err, objects.ErrNotFound)
	case objectstest.Retain:
		return !info.RetainUntil.IsZero()
	default:
		return info.Held
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	own := errors.New("of the test's own")
	for _, op := range append(append([]objectstest.Op{}, writes...), reads...) {
		for kind, after := range map[objectstest.Kind]bool{
			objectstest.Failed: false, objectstest.TookEffect: true, objectstest.Hang: false,
			objectstest.HangAfter: true,
		} {
			t.Run(fmt.Sprintf("%s/%d", op, kind), func(t *testing.T) {
				t.Parallel()
				inner := openDir(t, t.TempDir(), true, objectstest.NewClock())
				put, err := inner.Put(t.Context(), "a", strings.NewReader("body"), objects.PutOptions{Length: 4})
				if err != nil {
					t.Fatal(err)
				}
				faulty := objectstest.NewFaulty(t, inner)
				faulty.Arm(objectstest.Fault{Op: op, Kind: kind, Err: own})
				ctx, want := t.Context(), own
				if kind == objectstest.Hang || kind == objectstest.HangAfter {
					limited, cancel := context.WithTimeout(ctx, 200*time.Millisecond) // a disk may be slow
					defer cancel()
					ctx, want = limited, context.DeadlineExceeded
				}
				if err := call(ctx, faulty, op, put.Version); !errors.Is(err, want) {
					t.Errorf("the faulty call: %v, want %q", err, want)
				}
				for _, w := range writes {
					if w == op && effect(t, inner, op, put.Version) != after {
						t.Errorf("the faulty call took effect: %t, want %t", !after, after)
					}
				}
				if faulty.Disarm() != 0 || faulty.Calls(op) != 1 {
					t.Errorf("the fault is still armed, or %d calls were counted", faulty.Calls(op))
				}
			})
		}
	}
}

func TestFaultOrder(t *testing.T) {
	faulty := objectstest.NewFaulty(t, openDir(t, t.TempDir(), true, objectstest.NewClock()))
	faulty.Arm(objectstest.Fault{Op: objectstest.Check, Skip: 1, Times: 2})
	var got []bool
	for range 5 {
		err := faulty.Check(t.Context())
		if err != nil && (!errors.Is(err, objectstest.ErrInjected) || !errors.Is(err, objects.ErrUnavailable)) {
			t.Errorf("an injected fault: %v", err)
		}
		got = append(got, err == nil)
	}
	if fmt.Sprint(got) != "[true false false true true]" {
		t.Errorf("calls went well: %v", got)
	}
}

func TestCutBody(t *testing.T) {
	faulty := objectstest.NewFaulty(t, openDir(t, t.TempDir(), true, objectstest.NewClock()))
	if _, err := faulty.Put(t.Context(), "a", strings.NewReader("0123456789"),
		objects.PutOptions{Length: 10}); err != nil {
		t.Fatal(err)
	}
	for after := range int64(11) {
		faulty.Arm(objectstest.Fault{Op: objectstest.Get, Kind: objectstest.Cut, After: after})
		body, _, err := faulty.Get(t.Context(), "a", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		body.Close()
		if !errors.Is(err, objectstest.ErrInjected) || string(got) != "0123456789"[:after] {
			t.Errorf("a body cut after %d bytes: %q, %v", after, got, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	faulty.Arm(objectstest.Fault{Op: objectstest.Get, Kind: objectstest.Stall, After: 3})
	body, _, err := faulty.Get(ctx, "a", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); !errors.Is(err, context.DeadlineExceeded) || string(got) != "012" {
		t.Errorf("a body that stalls after 3 bytes: %q, %v", got, err)
	}
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// forgetful loses locks, and gives deleted versions back.
type forgetful struct{ *dir.Store }

func (f forgetful) Retain(context.Context, string, string, time.Time) error { return nil }
func (f forgetful) Delete(context.Context, string, string) error            { return nil }

// TestFaultyWatches shows that each invariant is asserted: a store that breaks it is noticed.
func TestFaultyWatches(t *testing.T) {
	ctx := t.Context()
	for name, breaks := range map[string]func(t *testing.T, f *objectstest.Faulty, s *dir.Store, version string){
		"bytes": func(t *testing.T, f *objectstest.Faulty, s *dir.Store, version string) {
			path, err := s.Path(ctx, "a", version)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("bodX"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := call(ctx, f, objectstest.Get, version); err != nil {
				t.Fatal(err)
			}
		},
		"lock": func(t *testing.T, f *objectstest.Faulty, _ *dir.Store, version string) {
			if err := errors.Join(call(ctx, f, objectstest.Retain, version),
				call(ctx, f, objectstest.Stat, version)); err != nil {
				t.Fatal(err)
			}
		},
		"deletion": func(t *testing.T, f *objectstest.Faulty, _ *dir.Store, version string) {
			if err := errors.Join(call(ctx, f, objectstest.Delete, version),
				call(ctx, f, objectstest.Get, version)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := openDir(t, t.TempDir(), true, objectstest.NewClock())
			r := &recorder{TB: t}
			f := objectstest.NewFaulty(r, forgetful{store})
			put, err := f.Put(ctx, "a", bytes.NewReader([]byte("body")), objects.PutOptions{Length: 4})
			if err != nil {
				t.Fatal(err)
			}
			if err := call(ctx, f, objectstest.Get, put.Version); err != nil || len(r.failures) > 0 {
				t.Fatalf("before anything is broken: %v, %v", err, r.failures)
			}
			breaks(t, f, store, put.Version)
			if len(r.failures) != 1 {
				t.Errorf("it was noticed %d times, want once: %v", len(r.failures), r.failures)
			}
		})
	}
}
