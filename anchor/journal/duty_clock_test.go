package journal_test

import (
	"context"
	"testing"
	"time"

	"muniment/anchor/journal"
)

const year = 365 * 24 * time.Hour

// errands performs a batch of errands and promises that are due, and says how many were done.
func errands(t *testing.T, j *journal.Journal) int {
	t.Helper()
	n, err := j.WorkOnce(t.Context(), journal.Worker{Kind: "errand", Batch: 10,
		Do: func(_ context.Context, due []journal.Duty) (out []journal.Outcome, _ error) {
			for _, d := range due {
				out = append(out, journal.Outcome{Duty: d})
			}
			return out, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDutiesOfAClockThatWasAhead: what is due at once is done at once, and what is due at a time is done then, though
// it was owed while the clock was a year ahead, or after that.
func TestDutiesOfAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	due := k.clock.Now().Add(time.Hour)
	owe := func(doc int) {
		t.Helper()
		commit(t, j, errand.New(docID(doc), noteData{}), promise.New(docID(doc), waitData{Until: due}))
	}
	k.clock.Step(year)
	owe(1)
	k.clock.Step(-year)
	if n := errands(t, j); n != 1 {
		t.Errorf("%d duties were done that were owed while the clock was ahead, want the errand", n)
	}
	owe(2)
	if n := errands(t, j); n != 1 {
		t.Errorf("%d duties were done that were owed after that, want the errand", n)
	}
	k.clock.Set(due)
	if n := errands(t, j); n != 2 {
		t.Errorf("%d promises were kept, want 2", n)
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", first(found))
	}
}

// TestDutyThatWasDueBefore: one that was due before it was owed is found within the hour, though later ones were looked
// at before; and it is overdue, while those that are due at once tell no time.
func TestDutyThatWasDueBefore(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	due := k.clock.Now()
	k.clock.Advance(2 * time.Hour)
	errands(t, j)
	commit(t, j, promise.New(docID(1), waitData{Until: due}), errand.New(docID(1), noteData{}))
	if n, err := j.Overdue(t.Context(), "errand", k.clock.Now(), 10); n != 1 || err != nil {
		t.Errorf("%d are overdue, %v; want the promise", n, err)
	}
	if n := errands(t, j); n != 1 {
		t.Errorf("%d duties were done at once, want the errand", n)
	}
	k.clock.Advance(time.Hour)
	if n := errands(t, j); n != 1 {
		t.Errorf("%d promises were kept, want 1", n)
	}
	k.close(t, j)
}

// TestErrandsBesidePromises: full batches of duties that are due at once pass over none that was due at a time.
func TestErrandsBesidePromises(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	commit(t, j, promise.New(docID(1), waitData{Until: k.clock.Advance(time.Second)}))
	for i := range 24 {
		commit(t, j, errand.New(docID(i+2), noteData{}))
	}
	k.clock.Advance(time.Second)
	for i, want := range []int{10, 10, 5, 0} {
		if n := errands(t, j); n != want {
			t.Errorf("batch %d: %d duties were done, want %d", i, n, want)
		}
	}
	k.close(t, j)
}

// TestLeaseOfAClockThatWasAhead: a lease that was taken by a clock that was ahead keeps no later process from working.
func TestLeaseOfAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	k.clock.Step(year)
	commit(t, j, errand.New(docID(1), noteData{}))
	if n := errands(t, j); n != 1 {
		t.Fatalf("%d errands were done", n)
	}
	k.clock.Step(-year)
	k.close(t, j)
	k.clock.Advance(time.Second)
	j = k.open(t)
	commit(t, j, errand.New(docID(2), noteData{}))
	if n := errands(t, j); n != 1 {
		t.Errorf("%d errands were done after a start, want 1", n)
	}
	k.close(t, j)
}
