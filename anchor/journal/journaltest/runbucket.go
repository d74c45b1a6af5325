package journaltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
)

// RunBucket is the conformance suite of [journal.Bucket]. open returns a bucket without objects.
func RunBucket(t *testing.T, open func(t *testing.T) journal.Bucket) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, journal.Bucket)
	}{
		{"conditional puts", testPuts},
		{"deletes", testDeletes},
		{"lists", testLists},
		{"a thousand objects", testThousand},
		{"large object", testLarge},
		{"data is copied", testCopied},
		{"one creator wins", testCreators},
		{"no swap is lost", testSwaps},
		{"cancelled", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// holding checks an object, and returns its tag.
func holding(t *testing.T, b journal.Bucket, name, want string) string {
	t.Helper()
	data, tag, err := b.Get(context.Background(), name)
	if err != nil || string(data) != want || tag == "" {
		t.Fatalf("Get %s: %.40q with the tag %q, %v; want %.40q", name, data, tag, err, want)
	}
	return tag
}

func put(t *testing.T, b journal.Bucket, name, data, tag string) string {
	t.Helper()
	next, err := b.Put(context.Background(), name, []byte(data), tag)
	if err != nil || next == "" {
		t.Fatalf("Put %s: tag %q, %v", name, next, err)
	}
	return next
}

func conflicts(t *testing.T, b journal.Bucket, name, tag string) {
	t.Helper()
	if _, err := b.Put(context.Background(), name, []byte("intruder"), tag); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("Put %s with the tag %q: %v, want ErrConflict", name, tag, err)
	}
}

func absent(t *testing.T, b journal.Bucket, name string) {
	t.Helper()
	if _, _, err := b.Get(context.Background(), name); !errors.Is(err, journal.ErrNoObject) {
		t.Errorf("Get %s: %v, want ErrNoObject", name, err)
	}
}

func testPuts(t *testing.T, b journal.Bucket) {
	absent(t, b, "pointer")
	conflicts(t, b, "pointer", "a tag of nothing")
	absent(t, b, "pointer")
	first := put(t, b, "pointer", "one", "")
	if got := holding(t, b, "pointer", "one"); got != first {
		t.Errorf("Put returned the tag %q, Get %q", first, got)
	}
	conflicts(t, b, "pointer", "")
	conflicts(t, b, "pointer", first+"0")
	holding(t, b, "pointer", "one")
	second := put(t, b, "pointer", "two", first)
	if got := holding(t, b, "pointer", "two"); got != second || got == first {
		t.Errorf("the tags are %q, %q, and %q by Get", first, second, got)
	}
	conflicts(t, b, "pointer", first)
	holding(t, b, "pointer", "two")
	put(t, b, "part/0-1", "other", "")
	holding(t, b, "pointer", "two")
}

func testDeletes(t *testing.T, b journal.Bucket) {
	ctx := context.Background()
	tag := put(t, b, "object", "data", "")
	put(t, b, "object2", "data", "")
	for range 2 {
		if err := b.Delete(ctx, "object"); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		absent(t, b, "object")
	}
	conflicts(t, b, "object", tag)
	put(t, b, "object", "again", "")
	holding(t, b, "object2", "data")
}

func testLists(t *testing.T, b journal.Bucket) {
	ctx := context.Background()
	if names, err := b.List(ctx, ""); err != nil || len(names) != 0 {
		t.Errorf("List of an empty bucket: %q, %v", names, err)
	}
	all := []string{"part/0000-10-ab", "part/0010-2-cd", "part/0012-9-ef", "parts", "pointer"}
	for _, i := range []int{3, 1, 4, 0, 2} {
		put(t, b, all[i], "data", "")
	}
	for prefix, want := range map[string][]string{
		"":          all,
		"part/":     all[:3],
		"part/001":  all[1:3],
		"part":      all[:4],
		"part/0012": all[2:3],
		"pointer":   all[4:],
		"pointers":  nil,
		"part/1":    nil,
		"/":         nil,
	} {
		names, err := b.List(ctx, prefix)
		if d := cmp.Diff(want, names); err != nil || len(want)+len(names) > 0 && d != "" {
			t.Errorf("List %q: %v (-want +got):\n%s", prefix, err, d)
		}
	}
	if err := b.Delete(ctx, all[1]); err != nil {
		t.Fatal(err)
	}
	if names, err := b.List(ctx, "part/"); err != nil || !slices.Equal(names, []string{all[0], all[2]}) {
		t.Errorf("List after a deletion: %q, %v", names, err)
	}
}

// testThousand has more objects than S3 lists at once.
func testThousand(t *testing.T, b journal.Bucket) {
	const n, writers = 1040, 8
	want := make([]string, n)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				want[i] = fmt.Sprintf("part/%06d-1", i)
				if _, err := b.Put(context.Background(), want[i], []byte("data"), ""); err != nil {
					t.Errorf("Put %s: %v", want[i], err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := b.List(context.Background(), "part/"); err != nil || !slices.Equal(got, want) {
		t.Errorf("List: %d names, %v; want %d, sorted", len(got), err, n)
	}
}

func testLarge(t *testing.T, b journal.Bucket) {
	large := bytes.Repeat([]byte("0123456789abcde\n"), 9<<20/16)
	put(t, b, "part/0-1", string(large), "")
	if data, _, err := b.Get(context.Background(), "part/0-1"); err != nil || !bytes.Equal(data, large) {
		t.Errorf("Get: %d bytes, %v; want the %d that were put", len(data), err, len(large))
	}
}

func testCopied(t *testing.T, b journal.Bucket) {
	data := []byte("data")
	if _, err := b.Put(context.Background(), "object", data, ""); err != nil {
		t.Fatal(err)
	}
	copy(data, "----")
	holding(t, b, "object", "data")
	got, _, err := b.Get(context.Background(), "object")
	if err != nil {
		t.Fatal(err)
	}
	copy(got, "----")
	holding(t, b, "object", "data")
}

func testCreators(t *testing.T, b journal.Bucket) {
	const rounds, writers = 20, 8
	for round := range rounds {
		name := fmt.Sprintf("part/%d-1", round)
		var winners atomic.Int32
		var winner atomic.Value
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				_, err := b.Put(context.Background(), name, []byte(strconv.Itoa(w)), "")
				if err == nil {
					winners.Add(1)
					winner.Store(strconv.Itoa(w))
				} else if !errors.Is(err, journal.ErrConflict) {
					t.Errorf("Put: %v", err)
				}
			})
		}
		wg.Wait()
		if winners.Load() != 1 {
			t.Fatalf("%d writers have created %s", winners.Load(), name)
		}
		holding(t, b, name, winner.Load().(string))
	}
}

// testSwaps counts up in an object by compare-and-swap.
func testSwaps(t *testing.T, b journal.Bucket) {
	const writers, each = 6, 8
	put(t, b, "pointer", "0", "")
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				data, tag, err := b.Get(context.Background(), "pointer")
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				n, err := strconv.Atoi(string(data))
				if err != nil {
					t.Errorf("the object is %q", data)
					return
				}
				_, err = b.Put(context.Background(), "pointer", []byte(strconv.Itoa(n+1)), tag)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, journal.ErrConflict):
					t.Errorf("Put: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	holding(t, b, "pointer", strconv.Itoa(writers*each))
}

func testCancelled(t *testing.T, b journal.Bucket) {
	put(t, b, "object", "data", "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, errGet := b.Get(ctx, "object")
	_, errPut := b.Put(ctx, "new", []byte("data"), "")
	_, errList := b.List(ctx, "")
	errDelete := b.Delete(ctx, "object")
	for op, err := range map[string]error{"Get": errGet, "Put": errPut, "List": errList, "Delete": errDelete} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a context that has ended: %v, want context.Canceled", op, err)
		}
	}
	holding(t, b, "object", "data")
	absent(t, b, "new")
}
