package journal_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"muniment/anchor/journal"
)

// chores performs chores but those about one document, which it refuses, and says which it was given.
type chores struct {
	refuses journal.ID
	given   []journal.Duty
}

func (c *chores) worker(batch int) journal.Worker {
	return journal.Worker{Kind: "chore", Batch: batch,
		Do: func(_ context.Context, due []journal.Duty) (out []journal.Outcome, _ error) {
			c.given = append(c.given, due...)
			for _, d := range due {
				o := journal.Outcome{Duty: d}
				if d.Doc == c.refuses {
					o.Failed = errors.New("refused")
				}
				out = append(out, o)
			}
			return out, nil
		}}
}

// work performs what is due and says how many duties were tried.
func (c *chores) work(t *testing.T, j *journal.Journal, batch int) int {
	t.Helper()
	c.given = nil
	_, _ = j.WorkOnce(t.Context(), c.worker(batch))
	return len(c.given)
}

// TestFailedDutyBacksOff: a duty that fails is tried again after a minute, then after twice as long each time, at most
// an hour; no failure is an event, a new start goes on where it was, and what succeeds at last leaves nothing.
func TestFailedDutyBacksOff(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	work := &chores{refuses: docID(1)}
	released(t, j, commit(t, j, chore.New(docID(1), noteData{})))
	began, size := k.clock.Now(), j.Size()
	if n := work.work(t, j, 10); n != 1 {
		t.Fatalf("%d duties were tried, want the one", n)
	}
	for i, minutes := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		wait := time.Duration(minutes) * time.Minute
		k.clock.Advance(wait - time.Second)
		if n := work.work(t, j, 10); n != 0 {
			t.Errorf("retry %d comes within %v", i+1, wait)
		}
		if i == 3 {
			k.close(t, j)
			j = k.open(t)
		}
		k.clock.Advance(time.Second)
		if n := work.work(t, j, 10); n != 1 {
			t.Errorf("retry %d does not come after %v", i+1, wait)
		}
	}
	if n, since, err := j.Failing(t.Context(), "chore", 10); n != 1 || !since.Equal(began) || err != nil {
		t.Errorf("%d are failing since %v, want 1 since %v; %v", n, since, began, err)
	}
	if j.Size() != size {
		t.Errorf("failures made %d events", j.Size()-size)
	}
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck while a duty fails: %v", first(found))
	}
	work.refuses = journal.ID{}
	k.clock.Advance(time.Hour)
	if n, err := j.WorkOnce(t.Context(), work.worker(10)); n != 1 || err != nil {
		t.Errorf("when it is possible again %d are done, %v", n, err)
	}
	if n, _, err := j.Failing(t.Context(), "chore", 10); n != 0 || err != nil {
		t.Errorf("then %d are failing, %v", n, err)
	}
	k.close(t, j)
	for _, table := range []string{"duty.failed", "duty.retry"} {
		if rows := rowsOf(t, k.backend, journal.Table{Kind: journal.Volatile, Name: table}); len(rows) > 0 {
			t.Errorf("%d rows of %s are left", len(rows), table)
		}
	}
}

// TestFailedDutiesStarveNobody: a new duty is in the next batch, however many before it have failed; those are tried
// again in batches of their own.
func TestFailedDutiesStarveNobody(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	work := &chores{refuses: docID(1)}
	for range 25 {
		commit(t, j, chore.New(docID(1), noteData{}))
	}
	for range 3 {
		work.work(t, j, 10)
	}
	if n, _, err := j.Failing(t.Context(), "chore", 100); n != 25 || err != nil {
		t.Fatalf("%d are failing, %v", n, err)
	}
	k.clock.Advance(time.Minute)
	commit(t, j, chore.New(docID(2), noteData{}))
	if n := work.work(t, j, 10); n != 1+10 || work.given[0].Doc != docID(2) {
		t.Errorf("%d duties were tried, want the new one, then ten that had failed", n)
	}
	if n, err := j.Owed(t.Context(), "chore"); n != 25 || err != nil {
		t.Errorf("%d are owed, %v", n, err)
	}
	k.close(t, j)
}

// TestUntriedDutyStaysDue: a duty that a worker has not come to keeps its place.
func TestUntriedDutyStaysDue(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for range 3 {
		commit(t, j, chore.New(docID(1), noteData{}))
	}
	one := journal.Worker{Kind: "chore", Batch: 3,
		Do: func(_ context.Context, due []journal.Duty) ([]journal.Outcome, error) {
			return []journal.Outcome{{Duty: due[len(due)-1]}}, nil
		}}
	for range 3 {
		if n, err := j.WorkOnce(t.Context(), one); n != 1 || err != nil {
			t.Errorf("a batch has done %d, %v", n, err)
		}
	}
	if n, err := j.Owed(t.Context(), "chore"); n != 0 || err != nil {
		t.Errorf("%d are owed, %v", n, err)
	}
	k.close(t, j)
}

// TestWorkerThatStopsHasNotFailed: what a worker could not do because it is being stopped is no failure.
func TestWorkerThatStopsHasNotFailed(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	commit(t, j, chore.New(docID(1), noteData{}))
	ctx, stop := context.WithCancel(t.Context())
	_, err := j.WorkOnce(ctx, journal.Worker{Kind: "chore", Batch: 3,
		Do: func(ctx context.Context, due []journal.Duty) ([]journal.Outcome, error) {
			stop()
			return []journal.Outcome{{Duty: due[0], Failed: ctx.Err()}}, nil
		}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v", err)
	}
	if n, _, err := j.Failing(t.Context(), "chore", 10); n != 0 || err != nil {
		t.Errorf("%d are failing, %v", n, err)
	}
	k.close(t, j)
}

// TestDutiesByAClockSetBack: what is due again by a clock that was set back is done, though later times were looked at
// before.
func TestDutiesByAClockSetBack(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	commit(t, j, chore.New(docID(1), noteData{}))
	begun := k.clock.Now()
	k.clock.Set(begun.AddDate(0, 0, 30))
	again := journal.Worker{Kind: "chore", Batch: 10,
		Do: func(_ context.Context, due []journal.Duty) (out []journal.Outcome, _ error) {
			for _, d := range due {
				out = append(out, journal.Outcome{Duty: d, Again: k.clock.Now().Add(time.Hour)})
			}
			return out, nil
		}}
	work := func(want int) {
		t.Helper()
		if n, err := j.WorkOnce(t.Context(), again); n != want || err != nil {
			t.Errorf("%d duties were done, %v; want %d", n, err, want)
		}
	}
	work(1) // and commits at that time, which the journal keeps
	work(0)
	k.clock.Advance(time.Hour)
	work(1)
	k.clock.Set(begun.AddDate(0, 0, 2))
	work(0)
	k.clock.Set(begun.AddDate(0, 0, 31))
	work(1)
	k.clock.Set(begun)
	commit(t, j, chore.New(docID(2), noteData{}))
	k.clock.Set(begun.AddDate(0, 0, 32))
	work(2)
	k.close(t, j)
}

// TestRetryByAClockSetBack: a retry does not wait for the time of a clock that has been set back.
func TestRetryByAClockSetBack(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	work := &chores{refuses: docID(1)}
	commit(t, j, chore.New(docID(1), noteData{}))
	begun := k.clock.Now()
	k.clock.Set(begun.AddDate(1, 0, 0))
	work.work(t, j, 10)
	k.clock.Set(begun.Add(time.Second))
	if n := work.work(t, j, 10); n != 1 {
		t.Errorf("%d duties were tried", n)
	}
	if n := work.work(t, j, 10); n != 0 {
		t.Errorf("then %d were tried at once", n)
	}
	k.close(t, j)
}

// TestRetryOfASettledDuty: what is noted about a duty that somebody else has settled goes away.
func TestRetryOfASettledDuty(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	work := &chores{refuses: docID(1)}
	commit(t, j, chore.New(docID(1), noteData{}))
	work.work(t, j, 10)
	failed := journal.Table{Kind: journal.Volatile, Name: "duty.failed"}
	retry := journal.Table{Kind: journal.Volatile, Name: "duty.retry"}
	kept := map[journal.Table][]stored{failed: rowsOf(t, k.backend, failed), retry: rowsOf(t, k.backend, retry)}
	work.refuses = journal.ID{}
	k.clock.Advance(time.Minute)
	work.work(t, j, 10)
	for table, rows := range kept { // as if it had been settled by a process that broke off then
		for _, row := range rows {
			change(t, k.backend, table, row.key, func([]byte) []byte { return row.value })
		}
	}
	if n := work.work(t, j, 10); n != 0 {
		t.Errorf("%d duties were tried that are not owed", n)
	}
	for table := range kept {
		if rows := rowsOf(t, k.backend, table); len(rows) > 0 {
			t.Errorf("%d rows of %s are left", len(rows), table)
		}
	}
	k.close(t, j)
}
