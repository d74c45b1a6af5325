package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// TestBeforeComesBeforeTheWorkers: what the caller asks about the journal, such as whether it holds what was locked, is
// answered before anything is shipped or signed, however long that takes; its refusal keeps the journal closed.
func TestBeforeComesBeforeTheWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		j := k.open(t)
		released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
		k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
			if c.Op == "put" {
				return journaltest.Fails
			}
			return journaltest.Works
		})
		commit(t, j, noted.New(docID(1), note1(2)))
		k.close(t, j)
		k.bucket.Inject(nil)
		before, refused := withoutLease(k.bucket), errors.New("it does not hold what was locked")
		cfg := k.config(t)
		cfg.Before = func(context.Context) error {
			time.Sleep(time.Hour) // of the bubble
			return refused
		}
		if _, err := journal.Open(t.Context(), cfg); !errors.Is(err, refused) {
			t.Errorf("opening says %v", err)
		}
		synctest.Wait()
		if !maps.EqualFunc(withoutLease(k.bucket), before, slices.Equal) {
			t.Error("something was shipped")
		}
		k.backend = k.backend.Reopen(memory.Config{})
		j = k.open(t)
		released(t, j, commit(t, j, noted.New(docID(1), note1(3))))
		k.close(t, j)
	})
}

// TestAForgedEraIsNoLoss: a row that says that a loss was accepted counts for nothing where the head does not go by its
// origin: an operator who asks what is lost is told that nothing is, and the bucket stays as it is.
func TestAForgedEraIsNoLoss(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, keep(t, j, "a"))
	k.close(t, j)
	row := journaltest.Must(json.Marshal(journal.LossAccepted{Origin: "muniment/forged", Key: "forged",
		Lost: journal.LostHead{Origin: "muniment/test", Size: 99}}))
	err := k.backend.Update(t.Context(), func(tx journal.Txn) error {
		return errors.Join(tx.Put(journal.Table{Kind: journal.Projection, Name: "journal.eras"}, leaf(1), row),
			tx.Delete(journal.Table{Kind: journal.Volatile, Name: "shipped"}, []byte("size")))
	})
	if err != nil {
		t.Fatal(err)
	}
	before := k.bucket.Objects()
	if accepted, err := k.accept(t); !errors.Is(err, journal.ErrNothingLost) {
		t.Errorf("accepted is %+v, %v", accepted, err)
	}
	if !maps.EqualFunc(k.bucket.Objects(), before, slices.Equal) {
		t.Error("the bucket was changed")
	}
}
