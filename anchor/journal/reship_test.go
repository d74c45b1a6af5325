package journal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
