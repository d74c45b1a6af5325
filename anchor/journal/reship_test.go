package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// reship changes the shipping key, and waits until the history is shipped under it.
func reship(t *testing.T, j *journal.Journal) {
	t.Helper()
	event := journaltest.Must(j.NextShippingKey(t.Context()))
	released(t, j, commit(t, j, event))
	if current, shipped := j.ShippingKey(); current != shipped {
		t.Fatalf("the key is %d, and the bucket is under %d", current, shipped)
	}
}

// TestReship: another shipping key authenticates all of the history from then on; whoever has the earlier one, with all
// that was shipped under it, puts nothing back that is believed.
func TestReship(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	keep(t, j, "a")
	keep(t, j, "b")
	for i := range 20 {
		released(t, j, commit(t, j, noted.New(docID(i%3+1), note1(i))))
	}
	released(t, j, erase(t, j, "a"))
	k.close(t, j)
	before := k.bucket.Clone(silent{})
	j = k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(30))))
	reship(t, j)
	released(t, j, commit(t, j, noted.New(docID(1), note1(31))))
	k.close(t, j)
	j = k.open(t) // and a start goes on under the new key
	released(t, j, commit(t, j, noted.New(docID(1), note1(32))))
	if current, _ := j.ShippingKey(); current != 2 {
		t.Errorf("the key is %d, want 2", current)
	}
	if err := j.LookAfterBatches(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck says %s", first(found))
	}
	restoredEqual(t, k)

	put := k.bucket.Clone(silent{})
	for name, data := range before.Objects() {
		put.Tamper(name, data)
	}
	cfg := k.config(t)
	cfg.Bucket, cfg.Create = put, false
	if _, err := journal.Open(t.Context(), cfg); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("opening with what was under the earlier key put back: %v", err)
	}
}

// TestReshipBreaksOff: a change of the key that was broken off at any write is finished by the next start, and until it
// is, what is there can be restored.
func TestReshipBreaksOff(t *testing.T) {
	t.Parallel()
	for write := range 6 {
		t.Run(fmt.Sprint("write ", write+1), func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			j := k.open(t)
			released(t, j, keep(t, j, "a"))
			released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
			event := journaltest.Must(j.NextShippingKey(t.Context()))
			puts := 0
			k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
				if c.Op != "put" || strings.HasPrefix(c.Name, "key/") {
					return journaltest.Works
				}
				if puts++; puts > write {
					return journaltest.Fails
				}
				return journaltest.Works
			})
			last := commit(t, j, event)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, _ = j.Released(ctx, last) // it may have come through
			k.close(t, j)
			k.bucket.Inject(nil)
			fresh := newKit(t)
			fresh.bucket = k.bucket.Clone(t)
			fresh.close(t, fresh.open(t))
			j = k.open(t)
			released(t, j, commit(t, j, noted.New(docID(1), note1(2))))
			if current, shipped := j.ShippingKey(); current != 2 || shipped != 2 {
				t.Errorf("the key is %d, and the bucket is under %d; want 2", current, shipped)
			}
			k.close(t, j)
			restoredEqual(t, k)
		})
	}
}

// TestReshipGoesOn: what broke off a change of the key does not begin it anew, whether the process goes on or another
// one does; nor does a marker that somebody has written into the database leave anything out.
func TestReshipGoesOn(t *testing.T) {
	t.Parallel()
	for what, forged := range map[string]bool{"as it was": false, "under the earlier key": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			k.bucket = journaltest.NewBucket(silent{})
			j := k.open(t)
			for range 5 { // two to a batch
				k.clock.Advance(time.Second)
				released(t, j, keepLarge(t, j))
			}
			size := j.Size()
			var first, others atomic.Int32 // writes of the batch at leaf 0, and of those after it
			stuck := func(c journaltest.Call) journaltest.Fault {
				switch {
				case c.Op != "put" || !strings.HasPrefix(c.Name, "batch/"):
					return journaltest.Works
				case strings.HasPrefix(c.Name, "batch/0000000000000000-"):
					first.Add(1)
				case others.Add(1) > 1:
					return journaltest.Fails
				}
				return journaltest.Works
			}
			k.bucket.Inject(stuck)
			commit(t, j, journaltest.Must(j.NextShippingKey(t.Context())))
			for deadline := time.Now().Add(20 * time.Second); others.Load() < 4; <-time.After(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("it does not go on")
				}
			}
			if done, of := j.Reshipping(); done == 0 || done == of || of != size || first.Load() != 1 {
				t.Errorf("it has come to %d of %d, and has begun %d times", done, of, first.Load())
			}
			k.close(t, j)
			first.Store(0)
			others.Store(-100)
			if forged {
				forgeMarker(t, k)
			}
			j = k.open(t)
			released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
			if again := first.Load() > 0; again != forged {
				t.Errorf("it was begun anew: %v", again)
			}
			if done, of := j.Reshipping(); done != 0 || of != 0 {
				t.Errorf("when it is done it says %d of %d", done, of)
			}
			k.bucket.Inject(nil)
			k.close(t, j)
			restoredEqual(t, k)
		})
	}
}

// keepLarge commits a change whose sealed rows have five megabytes in all.
func keepLarge(t *testing.T, j *journal.Journal) journal.Receipt {
	t.Helper()
	var change journal.Change
	for i := range 80 {
		key := fmt.Sprint("row-", j.Size(), "-", i)
		change.Events = append(change.Events, kept.New(docID(i), secret{key}))
		change.Sealed = append(change.Sealed, journal.Row{Key: []byte(key), Value: bytes.Repeat([]byte("x"), 64<<10)})
	}
	return journaltest.Must(j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return change, nil
	}))
}

// forgeMarker says that the history was shipped again up to a batch that is under the earlier key.
func forgeMarker(t *testing.T, k *kit) {
	t.Helper()
	var last string
	for name := range k.bucket.Objects() {
		if strings.HasPrefix(name, "batch/") {
			last = max(last, name)
		}
	}
	var first, count uint64
	if _, err := fmt.Sscanf(last, "batch/%d-%d-", &first, &count); err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf(`{"key":2,"next":%d,"last":%q}`, first+count, last)
	err := k.backend.Update(t.Context(), func(tx journal.Txn) error {
		return tx.Put(journal.Table{Kind: journal.Volatile, Name: "reship"}, []byte("at"), []byte(row))
	})
	if err != nil {
		t.Fatal(err)
	}
}
