package journal_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// localKey is a local key in memory.
type localKey struct{ drawn byte }

// Secret is 32 times the same byte.
func (k *localKey) Secret() ([]byte, error) { return slices.Repeat([]byte{k.drawn}, 32), nil }

// Renew takes the next byte.
func (k *localKey) Renew() error { k.drawn++; return nil }

// TestNothingIsShippedAgainProvisionally: while the key service is down no batch is judged, shipped or deleted; when
// it is back, what was lost is shipped again.
func TestNothingIsShippedAgainProvisionally(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := openRewriting(t, k)
	history(t, j, 4)
	k.close(t, j)
	spoilers["all are gone"](k.bucket, batches(k))
	spoiled := k.bucket.Objects()
	keys := journaltest.ShippingKeys()
	keys.Down(true)
	cfg := k.rewriting(t)
	cfg.ShippingKeys, cfg.LocalKey, cfg.Create = keys, &localKey{1}, false
	j, err := journal.Open(t.Context(), cfg)
	if err != nil || !j.Provisional() {
		t.Fatalf("starting without the key service: %v", err)
	}
	if err := j.LookAfterBatches(t.Context()); !errors.Is(err, journal.ErrKeysUnavailable) {
		t.Errorf("looking provisionally says %v", err)
	}
	if !maps.EqualFunc(k.bucket.Objects(), spoiled, slices.Equal) {
		t.Error("the bucket was changed provisionally")
	}
	if state := j.ShippedHealth(); len(state.Lost) > 0 || state.ShippedAgain > 0 {
		t.Errorf("provisionally: %+v", state)
	}
	keys.Down(false)
	for deadline := time.Now().Add(20 * time.Second); j.Provisional(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the provisional start never ends")
		}
	}
	if state := lookedAfter(t, j); len(state.Lost) > 0 || state.ShippedAgain == 0 {
		t.Errorf("with the key service again: %+v", state)
	}
	released(t, j, commit(t, j, looked.New(docID(1), noteData{})))
	k.close(t, j)
	k.sameRows(t)
}
