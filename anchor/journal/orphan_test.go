package journal_test

import (
	"errors"
	"maps"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// A database from before anything was known to be released does not begin again beside the batches of a bucket that has
// lost its head.
func TestOldDatabaseAndNoHead(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	old := k.backend.Clone()
	for i := range 3 {
		released(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	k.bucket.Tamper("head", nil)
	k.backend = old
	if s, err := journal.Compare(t.Context(), k.backend, k.bucket, keys()); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("comparing gives %+v, %v", s, err)
	}
	if j, err := journal.Open(t.Context(), k.config(t)); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("opening says %v", err)
		if err == nil {
			k.close(t, j)
		}
	}
}

// An interrupted release leaves a batch, and another server goes on without it: the orphan must not be taken for a
// released batch.
func TestAcceptLossBesideLeavings(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	before := released(t, j, commit(t, j, noted.New(docID(1), note1(1)))).Index
	broken := newKit(t)
	broken.backend, broken.bucket = k.backend.Clone(), k.bucket.Clone(silent{})
	b := broken.open(t)
	released(t, b, commit(t, b, noted.New(docID(1), note1(2))))
	broken.close(t, b)

	released(t, j, commit(t, j, noted.New(docID(1), note1(3)), noted.New(docID(1), note1(4))))
	released(t, j, commit(t, j, noted.New(docID(1), note1(5))))
	k.close(t, j)
	left := broken.bucket.Objects()
	maps.DeleteFunc(left, func(name string, _ []byte) bool { return name == "head" || k.bucket.Objects()[name] != nil })
	if len(left) != 1 {
		t.Fatalf("%d batches are left over", len(left))
	}
	for name, raw := range left {
		k.bucket.Tamper(name, raw)
	}
	k.bucket.Tamper(batchAt(t, k.bucket, int(before)+3), nil) // the newest
	k.backend = memory.New(memory.Config{})
	if _, err := k.accept(t); err != nil {
		t.Fatal(err)
	}
	checkAccepted(t, k, before+3)
}

// FindLoss tells an operator when the release bucket is whole and only the database stands in the way.
func TestLossWithAWholeBucket(t *testing.T) {
	t.Parallel()
	for what, c := range losses {
		k, old, _ := prepareLoss(t)
		c.lose(t, k, old)
		loss, err := journal.FindLoss(t.Context(), k.config(t))
		if err != nil || loss.Whole != (what == "a fork") {
			t.Errorf("%s: the bucket is whole: %t, %v", what, loss.Whole, err)
		}
	}
}

// A journal that was restored knows how far its bucket was, before it has written anything.
func TestRestoredJournalMissesItsBucket(t *testing.T) {
	t.Parallel()
	k, _, _ := prepareLoss(t)
	k.backend = memory.New(memory.Config{})
	k.close(t, k.open(t))
	k.bucket = journaltest.NewBucket(silent{})
	if j, err := journal.Open(t.Context(), k.config(t)); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("opening over an empty bucket says %v", err)
		if err == nil {
			k.close(t, j)
		}
	}
}
