package journal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/processtest"
)

// holder is the sealed row that a token leads to, or "".
func holder(t *testing.T, j *journal.Journal, token string) (key string) {
	t.Helper()
	err := j.View(t.Context(), func(r journal.Reader) error {
		row, err := journal.Lookup(r, []byte(token))
		key = string(row)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// commitSealed commits one event with sealed rows.
func commitSealed(t *testing.T, j *journal.Journal, event journal.Event, rows ...journal.Row) (journal.Receipt, error) {
	t.Helper()
	return j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{event}, Sealed: rows}, nil
	})
}

// TestAnErasedRowTakesItsTokens: all but those that it leaves to a row that follows it.
func TestAnErasedRowTakesItsTokens(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	both := [][]byte{[]byte("token-a"), []byte("token-b")}
	journaltest.Must(commitSealed(t, j, kept.New(docID(1), secret{"a"}),
		journal.Row{Key: []byte("a"), Value: []byte("sealed a"), Tokens: both}))
	heir := journal.Row{Key: []byte("b"), Value: []byte("sealed b"), Tokens: both[1:]}
	if _, err := commitSealed(t, j, kept.New(docID(1), secret{"b"}), heir); !errors.Is(err, journal.ErrTaken) {
		t.Errorf("taking a token whose row is there: %v, want ErrTaken", err)
	}
	if _, err := commitSealed(t, j, noted.New(docID(1), note1(1)),
		journal.Row{Key: []byte("a"), Tokens: both}); err == nil {
		t.Error("a row was erased that no event has released")
	}
	if got := holder(t, j, "token-a"); got != "a" {
		t.Errorf("after refusals token-a leads to %q", got)
	}
	journaltest.Must(j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{
			Events: []journal.Event{erased.New(docID(1), secret{"a"}), kept.New(docID(1), secret{"b"})},
			Sealed: []journal.Row{{Key: []byte("a"), Tokens: both}, heir},
		}, nil
	}))
	if a, b := holder(t, j, "token-a"), holder(t, j, "token-b"); a != "" || b != "b" {
		t.Errorf("token-a leads to %q and token-b to %q, want nowhere and b", a, b)
	}
	released(t, j, commit(t, j, noted.New(docID(1), note1(2))))
	k.close(t, j)
	if found := k.fsckKeys(t); len(found) > 0 {
		t.Errorf("fsck says %s", first(found))
	}
	restoredEqual(t, k)
}

// TestARowWrittenAgain: a bound row may be written again by an event that says so, and a restore brings the newer one.
func TestARowWrittenAgain(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	keep(t, j, "a")
	again := journal.Row{Key: []byte("a"), Value: []byte("sealed anew")}
	released(t, j, journaltest.Must(commitSealed(t, j, rewrote.New(docID(1), secret{"a"}), again)))
	if _, err := commitSealed(t, j, noted.New(docID(1), note1(1)), again); err == nil {
		t.Error("a row was written anew beside an event that does not say so")
	}
	if _, err := commitSealed(t, j, rewrote.New(docID(1), secret{"b"})); err == nil {
		t.Error("a row was said to be written anew that no event binds")
	}
	unbound := journal.Row{Key: []byte("never bound"), Value: []byte("x")}
	if _, err := commitSealed(t, j, noted.New(docID(1), note1(1)), unbound); err == nil {
		t.Error("a row was written that no event binds")
	}
	k.close(t, j)
	fresh := newKit(t)
	fresh.bucket = k.bucket
	j = fresh.open(t)
	err := j.View(t.Context(), func(r journal.Reader) error {
		row, err := journal.SealedRow(r, []byte("a"))
		if string(row) != "sealed anew" {
			t.Errorf("the restored row is %q", row)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fresh.close(t, j)
}

// TestCatchingUpDropsTokens: a backend from before an erasure has tokens of the erased row; nothing shipped names them.
func TestCatchingUpDropsTokens(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	keep(t, j, "a")
	released(t, j, keep(t, j, "b"))
	k.close(t, j)
	old := k.backend.Clone()
	j = k.open(t)
	released(t, j, erase(t, j, "a"))
	k.close(t, j)
	k.backend = old
	j = k.open(t)
	if a, b := holder(t, j, "token-a"), holder(t, j, "token-b"); a != "" || b != "b" {
		t.Errorf("token-a leads to %q and token-b to %q, want nowhere and b", a, b)
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck says %s", first(found))
	}
}

// TestAnErasureIsShippedWithItsRow: of a backlog that no batch holds whole, a row that was erased since goes with the
// event that erased it, so that what is restored between two batches misses nothing.
func TestAnErasureIsShippedWithItsRow(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 12 MiB; left out by -short")
	}
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(0))))
	k.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	keep(t, j, "a")
	for i := range 150 { // 9 MiB, more than a batch
		commit(t, j, looked.New(docID(1), noteData{Name: fmt.Sprint(i), Text: strings.Repeat("x", 60<<10)}))
	}
	erase(t, j, "a")
	for i := range 50 {
		commit(t, j, looked.New(docID(1), noteData{Name: fmt.Sprint(i), Text: strings.Repeat("y", 60<<10)}))
	}
	before := j.Checkpoint().Size
	swaps := 0
	first := make(chan struct{})
	k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if swaps > 0 {
			return journaltest.Fails
		}
		if c.Op == "put" && c.Name == "head" {
			swaps++
			close(first)
		}
		return journaltest.Works
	})
	<-first
	processtest.Await(t, "the first swap", func() bool { return j.Checkpoint().Size > before })
	k.close(t, j)
	k.bucket.Inject(nil)
	fresh := newKit(t)
	fresh.bucket = k.bucket.Clone(t)
	j = fresh.open(t)
	if j.Size() < 153 || j.Size() > 180 {
		t.Errorf("the first batch ended at %d, want it to hold the erasure and not all", j.Size())
	}
	fresh.close(t, j)
	if found := fresh.fsck(t); len(found) > 0 {
		t.Errorf("fsck says %s", found[0])
	}
}
