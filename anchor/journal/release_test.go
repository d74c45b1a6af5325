package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// TestReleaseFaults lets each call that a release makes go wrong, once so that it failed and once so that only its
// answer was lost. The release comes all the same, the bucket's own invariants hold, and a restore from it gives the
// same journal.
func TestReleaseFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op, prefix string
		tail       int
	}{{"put", "batch/", 1}, {"put", "head", 1}, {"get", "head", 1}, {"put", "head", 0}, {"get", "head", 0},
		{"put", "batch/", 1500}} {
		for name, fault := range map[string]journaltest.Fault{"failed": journaltest.Fails,
			"failed but done": journaltest.FailsDone} {
			t.Run(fmt.Sprint(c.op, " ", c.prefix, " ", name, ", tail ", c.tail), func(t *testing.T) {
				t.Parallel()
				k := newKit(t)
				k.tail = c.tail
				j := k.open(t)
				released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
				left := 2
				k.bucket.Inject(func(call journaltest.Call) journaltest.Fault {
					if call.Op == c.op && len(call.Name) >= len(c.prefix) && call.Name[:len(c.prefix)] == c.prefix &&
						left > 0 {
						left--
						return fault
					}
					return journaltest.Works
				})
				for i := range 5 {
					released(t, j, commit(t, j, noted.New(docID(1), note1(i))))
				}
				k.close(t, j)
				k.bucket.Inject(nil)
				if found := k.fsck(t); len(found) > 0 {
					t.Errorf("fsck: %v", first(found))
				}
				restoredEqual(t, k)
			})
		}
	}
}

// restoredEqual restores from a kit's bucket and checks that nothing is missing.
func restoredEqual(t *testing.T, k *kit) {
	t.Helper()
	fresh := newKit(t)
	fresh.bucket = k.bucket
	j := fresh.open(t)
	got := j.Checkpoint()
	fresh.close(t, j)
	j = k.open(t)
	want := j.Checkpoint()
	k.close(t, j)
	if got.Size != want.Size || got.Root != want.Root {
		t.Errorf("restored to %d, want %d", got.Size, want.Size)
	}
}

// TestBucketDown: while the bucket is down commits succeed and wait; when it is back, all is released in order.
func TestBucketDown(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	k.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	var last journal.Receipt
	for i := range 10 {
		last = commit(t, j, noted.New(docID(1), note1(i)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := j.Shipped(ctx, last); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shipping to a bucket that is down says %v", err)
	}
	if r, err := j.Released(ctx, last); !errors.Is(err, context.DeadlineExceeded) || r.Index != last.Index ||
		r.Checkpoint != nil {
		t.Errorf("release to a bucket that is down says %v", err)
	}
	k.bucket.Inject(nil)
	released(t, j, last)
	k.close(t, j)
}

// switchable is a signer that can be turned off.
type switchable struct {
	journal.Signer
	off atomic.Bool
}

func (s *switchable) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if s.off.Load() {
		return nil, errors.New("the key service is sealed")
	}
	return s.Signer.Sign(ctx, message)
}

// TestSignerDown: without a signer, entries are shipped all the same; checkpoints come later.
func TestSignerDown(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cfg := k.config(t)
	signer := &switchable{Signer: cfg.Signer}
	cfg.Signer = signer
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	signer.off.Store(true)
	r := commit(t, j, noted.New(docID(1), note1(1)))
	if err := j.Shipped(t.Context(), r); err != nil {
		t.Errorf("shipping without a signer says %v", err)
	}
	if c := j.Checkpoint(); c.Size > r.Index {
		t.Errorf("there is a checkpoint of size %d without a signer", c.Size)
	}
	signer.off.Store(false)
	released(t, j, r)
	k.close(t, j)
}

// TestRotatedSigningKey: a signer that has moved to another key gives no checkpoint that a pinned verifier would
// refuse.
func TestRotatedSigningKey(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cfg := k.config(t)
	rotated := &forger{Signer: cfg.Signer}
	cfg.Signer = rotated
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	rotated.on.Store(true)
	r := commit(t, j, noted.New(docID(1), note1(1)))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := j.Released(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("release with another key says %v", err)
	}
	rotated.on.Store(false)
	released(t, j, r)
	k.close(t, j)
}

// forger signs with another key than the pinned one.
type forger struct {
	journal.Signer
	on atomic.Bool
}

func (f *forger) Sign(ctx context.Context, message []byte) ([]byte, error) {
	signature, err := f.Signer.Sign(ctx, message)
	if f.on.Load() && err == nil {
		signature[0] ^= 1
	}
	return signature, err
}
