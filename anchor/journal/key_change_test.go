package journal_test

import (
	"bytes"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// TestCatchingUpAcrossAChangeOfKey: a database from before the shipping key was changed goes on under the new one.
func TestCatchingUpAcrossAChangeOfKey(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, keep(t, j, "a"))
	k.close(t, j)
	old := k.backend.Clone()
	j = k.open(t)
	released(t, j, keep(t, j, "b"))
	reship(t, j)
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	k.close(t, j)
	k.backend = old
	j = k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(2))))
	if current, shipped := j.ShippingKey(); current != 2 || shipped != 2 {
		t.Errorf("the key is %d, and the bucket is under %d; want 2", current, shipped)
	}
	k.close(t, j)
	restoredEqual(t, k)
}

// TestLossAcrossAChangeOfKey: what the bucket has under a newer key than the database survives an accepted loss, and
// the new origin has a key that nothing was ever shipped under.
func TestLossAcrossAChangeOfKey(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	released(t, j, keep(t, j, "a"))
	k.close(t, j)
	old := k.backend.Clone()
	j = k.open(t)
	reship(t, j)
	last := released(t, j, commit(t, j, noted.New(docID(1), note1(9))))
	if err := j.LookAfterBatches(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.close(t, j)
	k.bucket.Tamper("head", nil)
	k.backend = old
	cfg := k.config(t)
	cfg.Create, cfg.Origin = false, secondOrigin
	accepted := journaltest.Must(journal.AcceptLoss(t.Context(), cfg))
	if accepted.Shipping.Number != 3 {
		t.Errorf("the new origin's key is number %d, want 3", accepted.Shipping.Number)
	}
	k.backend = k.backend.Clone()
	cfg = k.config(t)
	cfg.Create, cfg.Origin = false, ""
	j = journaltest.Must(journal.Open(t.Context(), cfg))
	if j.Size() < last.Index+2 {
		t.Errorf("%d entries have survived, want %d and the loss", j.Size(), last.Index+1)
	}
	k.close(t, j)
}

// TestAForgedHeadLeavesNoNote: what a released head says that nothing has authenticated yet is not remembered.
func TestAForgedHeadLeavesNoNote(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	genuine := o.bucket.Objects()["head"]
	forged := bytes.Replace(genuine, []byte(`"key":1,`), []byte(`"key":999,`), 1)
	o.keys.Down(true)
	o.bucket.Tamper("key/999", o.bucket.Objects()["key/1"])
	o.bucket.Tamper("head", forged)
	j := o.open(t)
	commit(t, j, noted.New(docID(1), note1(10)))
	o.close(t, j)
	o.bucket.Tamper("head", genuine)
	o.keys.Down(false)
	o.close(t, o.open(t))
}
