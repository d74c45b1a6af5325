package journaltest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// recorder takes the place of the test that a bucket would fail.
type recorder struct{ violations []string }

func (r *recorder) Errorf(format string, args ...any) {
	r.violations = append(r.violations, fmt.Sprintf(format, args...))
}

func TestBucketConformance(t *testing.T) {
	t.Parallel()
	journaltest.RunBucket(t, func(t *testing.T) journal.Bucket { return journaltest.NewBucket(t) })
}

func TestBucketFaults(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := journaltest.NewBucket(t)
	journaltest.Must(b.Put(ctx, "old", []byte("1"), ""))
	b.Inject(func(c journaltest.Call) journaltest.Fault {
		switch {
		case strings.HasPrefix(c.Name, "fails"):
			return journaltest.Fails
		case strings.HasPrefix(c.Name, "lost") || c.Op == "delete":
			return journaltest.FailsDone
		case strings.HasPrefix(c.Name, "hangs"):
			return journaltest.Hangs
		}
		return journaltest.Works
	})
	for _, name := range []string{"fails", "lost"} {
		if _, err := b.Put(ctx, name, []byte("1"), ""); !errors.Is(err, journaltest.ErrFault) {
			t.Errorf("Put %s: %v, want ErrFault", name, err)
		}
	}
	hanging, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() {
		_, err := b.Put(hanging, "hangs", []byte("1"), "")
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("the call that should hang returned %v", err)
	default:
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the hanging call: %v, want context.Canceled", err)
	}
	if err := b.Delete(ctx, "old"); !errors.Is(err, journaltest.ErrFault) {
		t.Errorf("Delete: %v, want ErrFault", err)
	}
	b.Inject(nil)
	if d := cmp.Diff([]string{"lost"}, journaltest.Must(b.List(ctx, ""))); d != "" {
		t.Errorf("objects (-want +got):\n%s", d)
	}
}

func TestBucketWatches(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	headAt := func(size int, last string) []byte {
		return fmt.Appendf(nil, `{"v":1,"origin":"o","size":%d,"lastBatch":%q}`, size, last)
	}
	// Each step is done to a bucket with the batches of 0 to 3 and 3 to 5 and a head at 5.
	for _, c := range []struct {
		name string
		do   func(b *journaltest.Bucket, head string)
		want string // of the violation; empty for none
	}{
		{"nothing", func(*journaltest.Bucket, string) {}, ""},
		{"going on", func(b *journaltest.Bucket, head string) {
			journaltest.Must(b.Put(ctx, "batch/5-1-x", []byte("c"), ""))
			journaltest.Must(b.Put(ctx, "head", headAt(6, "batch/5-1-x"), head))
		}, ""},
		{"merging", func(b *journaltest.Bucket, _ string) {
			journaltest.Must(b.Put(ctx, "batch/0-5-x", []byte("ab"), ""))
			b.Delete(ctx, "batch/0-3-x")
			b.Delete(ctx, "batch/3-2-x")
			journaltest.Must(b.Put(ctx, "batch/0-3-x", []byte("a"), ""))
		}, ""},
		{"a new origin", func(b *journaltest.Bucket, head string) {
			journaltest.Must(b.Put(ctx, "head", []byte(`{"origin":"new","size":3,"lastBatch":"batch/0-3-x"}`), head))
		}, ""},
		{"a batch changed", func(b *journaltest.Bucket, _ string) {
			_, tag, _ := b.Get(ctx, "batch/0-3-x")
			journaltest.Must(b.Put(ctx, "batch/0-3-x", []byte("other"), tag))
		}, "written again"},
		{"a batch back with another content", func(b *journaltest.Bucket, _ string) {
			journaltest.Must(b.Put(ctx, "batch/0-5-x", []byte("ab"), ""))
			b.Delete(ctx, "batch/0-3-x")
			journaltest.Must(b.Put(ctx, "batch/0-3-x", []byte("other"), ""))
		}, "another content"},
		{"a batch deleted", func(b *journaltest.Bucket, _ string) { b.Delete(ctx, "batch/0-3-x") }, "no other holds"},
		{"a batch half covered", func(b *journaltest.Bucket, _ string) {
			journaltest.Must(b.Put(ctx, "batch/0-2-x", []byte("a"), ""))
			b.Delete(ctx, "batch/0-3-x")
		}, "no other holds"},
		{"the head deleted", func(b *journaltest.Bucket, _ string) { b.Delete(ctx, "head") }, "head is deleted"},
		{"the head back", func(b *journaltest.Bucket, head string) {
			journaltest.Must(b.Put(ctx, "head", headAt(3, "batch/0-3-x"), head))
		}, "goes back"},
		{"the head before its batch", func(b *journaltest.Bucket, head string) {
			journaltest.Must(b.Put(ctx, "head", headAt(7, "batch/5-2-x"), head))
		}, "not there"},
		{"the head beyond its batch", func(b *journaltest.Bucket, head string) {
			journaltest.Must(b.Put(ctx, "head", headAt(6, "batch/3-2-x"), head))
		}, "ends at"},
		{"a head that is none", func(b *journaltest.Bucket, head string) {
			journaltest.Must(b.Put(ctx, "head", []byte("?"), head))
		}, "not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{}
			b := journaltest.NewBucket(r)
			journaltest.Must(b.Put(ctx, "batch/0-3-x", []byte("a"), ""))
			journaltest.Must(b.Put(ctx, "batch/3-2-x", []byte("b"), ""))
			c.do(b, journaltest.Must(b.Put(ctx, "head", headAt(5, "batch/3-2-x"), "")))
			got := strings.Join(r.violations, "\n")
			if c.want == "" && got != "" || c.want != "" && !strings.Contains(got, c.want) {
				t.Errorf("violations: %q, want %q", got, c.want)
			}
		})
	}
}
