package objects_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
)

// openBucket makes a bucket of a folder, with a store that can be made to fail between.
func openBucket(t *testing.T) (journal.Bucket, *objectstest.Faulty) {
	t.Helper()
	cfg := dir.Config{Dir: t.TempDir(), Create: true, Clock: journal.SystemClock{}, Rand: rand.Reader}
	store, err := dir.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	faulty := objectstest.NewFaulty(t, store)
	return objects.NewBucket(faulty), faulty
}

func TestBucket(t *testing.T) {
	b, _ := openBucket(t)
	ctx := t.Context()
	if _, _, err := b.Get(ctx, "head"); !errors.Is(err, journal.ErrNoObject) {
		t.Errorf("Get of nothing: %v, want ErrNoObject", err)
	}
	if _, err := b.Put(ctx, "head", []byte("x"), "some-tag"); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("Put over nothing with a tag: %v, want ErrConflict", err)
	}
	first, err := b.Put(ctx, "head", []byte("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(ctx, "head", []byte("x"), ""); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("Put without a tag over something: %v, want ErrConflict", err)
	}
	second, err := b.Put(ctx, "head", []byte("two"), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(ctx, "head", []byte("x"), first); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("Put over an old tag: %v, want ErrConflict", err)
	}
	data, tag, err := b.Get(ctx, "head")
	if err != nil || string(data) != "two" || tag != second {
		t.Errorf("Get: %q, tag %q, %v; want two, tag %q", data, tag, err, second)
	}
	for _, name := range []string{"batch/2-1", "batch/0-2", "batch/10-5", "other/1"} {
		if _, err := b.Put(ctx, name, []byte(name), ""); err != nil {
			t.Fatal(err)
		}
	}
	names, err := b.List(ctx, "batch/")
	if diff := cmp.Diff([]string{"batch/0-2", "batch/10-5", "batch/2-1"}, names); diff != "" || err != nil {
		t.Errorf("List: %v (-want +got):\n%s", err, diff)
	}
	for range 2 {
		if err := b.Delete(ctx, "batch/2-1"); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if _, _, err := b.Get(ctx, "batch/2-1"); !errors.Is(err, journal.ErrNoObject) {
		t.Errorf("Get of what was deleted: %v, want ErrNoObject", err)
	}
}

func TestBucketErrors(t *testing.T) {
	b, faulty := openBucket(t)
	ctx := t.Context()
	full := fmt.Errorf("%w: %w", objects.ErrFull, syscall.ENOSPC)
	faulty.Arm(objectstest.Fault{Op: objectstest.Put, Err: full})
	if _, err := b.Put(ctx, "head", []byte("x"), ""); !errors.Is(err, journal.ErrFull) ||
		!errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Put to a full store: %v, want ErrFull and the errno", err)
	}
	faulty.Arm(objectstest.Fault{Op: objectstest.Put, Kind: objectstest.TookEffect})
	_, err := b.Put(ctx, "head", []byte("lost"), "")
	if !errors.Is(err, objects.ErrUnavailable) || errors.Is(err, journal.ErrConflict) {
		t.Errorf("Put whose answer was lost: %v, want ErrUnavailable", err)
	}
	if data, _, err := b.Get(ctx, "head"); string(data) != "lost" || err != nil {
		t.Errorf("after a Put whose answer was lost: %q, %v", data, err)
	}
	for _, op := range []objectstest.Op{objectstest.Get, objectstest.List, objectstest.Delete} {
		faulty.Arm(objectstest.Fault{Op: op})
		var err error
		switch op {
		case objectstest.Get:
			_, _, err = b.Get(ctx, "head")
		case objectstest.List:
			_, err = b.List(ctx, "")
		case objectstest.Delete:
			err = b.Delete(ctx, "head")
		}
		if !errors.Is(err, objects.ErrUnavailable) || errors.Is(err, journal.ErrNoObject) {
			t.Errorf("%s of a store that is down: %v, want ErrUnavailable", op, err)
		}
	}
	faulty.Arm(objectstest.Fault{Op: objectstest.Get, Kind: objectstest.Cut, After: 2})
	if data, _, err := b.Get(ctx, "head"); err == nil {
		t.Errorf("a body cut short was taken for an object: %q", data)
	}
}

func TestBucketCompareAndSwap(t *testing.T) {
	const writers, rounds = 8, 50
	b, _ := openBucket(t)
	tag := ""
	for round := range rounds {
		tags, errs := make([]string, writers), make([]error, writers)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				<-start
				tags[i], errs[i] = b.Put(t.Context(), "head", fmt.Appendf(nil, "round %d, writer %d", round, i), tag)
			})
		}
		close(start)
		wg.Wait()
		winner := -1
		for i, err := range errs {
			if err == nil && winner >= 0 {
				t.Fatalf("round %d: writers %d and %d both won", round, winner, i)
			}
			if err == nil {
				winner = i
			} else if !errors.Is(err, journal.ErrConflict) {
				t.Fatalf("round %d: writer %d: %v, want ErrConflict", round, i, err)
			}
		}
		if winner < 0 {
			t.Fatalf("round %d: nobody won: %v", round, errs)
		}
		data, now, err := b.Get(t.Context(), "head")
		if want := fmt.Sprintf("round %d, writer %d", round, winner); err != nil || string(data) != want ||
			now != tags[winner] {
			t.Fatalf("the head is %q with tag %q, %v; want %q with %q", data, now, err, want, tags[winner])
		}
		tag = now
	}
}
