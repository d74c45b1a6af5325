package journal

import (
	"context"
	"slices"
	"time"
)

// batchesLost and batchesRestored are the events of an episode in which leaves could not have been restored from the
// release bucket.
const (
	batchesLost     Type[BatchesLost]     = "journal.batches_lost/1"
	batchesRestored Type[BatchesRestored] = "journal.batches_restored/1"
)

// maxRanges is how many ranges of leaves an event names.
const maxRanges = 100

// BatchesLost is the data of journal.batches_lost/1: released leaves were found that no whole batch of the release
// bucket holds. It is written once, when that is first found.
type BatchesLost struct {
	Leaves uint64   `json:"leaves"` // how many in all
	Ranges []Leaves `json:"ranges"` // where; the first hundred
}

// BatchesRestored is the data of journal.batches_restored/1: every released leaf is in a batch again.
type BatchesRestored struct {
	Leaves uint64 `json:"leaves"` // that were shipped again from the database
}

// ShippedHealth tells how the shipped batches are, on which a restore depends.
type ShippedHealth struct {
	At      time.Time // when they were last looked after; zero while they have not been
	Batches int       // that lead from the first leaf to the released head
	Read    int       // of these, were read since the process began, and found whole
	// Lost are leaves that no whole batch holds, and that could not be shipped again.
	Lost []Leaves
	// Since is when Lost was first found; zero while nothing is lost.
	Since time.Time
	// ShippedAgain is how many leaves this process has shipped again, because their batches were gone or unreadable.
	ShippedAgain uint64
	// Err is why what is lost could not be shipped again, or why the batches could not be looked after: then the other
	// fields are of an earlier time.
	Err error
}

// ShippedHealth tells how the shipped batches were when they were last looked after.
func (j *Journal) ShippedHealth() ShippedHealth {
	j.batches.stateMu.Lock()
	defer j.batches.stateMu.Unlock()
	state := j.batches.state
	state.Lost = slices.Clone(state.Lost)
	state.ShippedAgain = j.batches.shippedAgain.Load()
	return state
}

// conclude notes what a look at the batches has come to.
func (j *Journal) conclude(c *coverage, err error) {
	now := j.cfg.Clock.Now().UTC()
	j.batches.stateMu.Lock()
	defer j.batches.stateMu.Unlock()
	state := &j.batches.state
	state.Err = err
	if c == nil {
		return
	}
	state.At, state.Batches, state.Read, state.Lost = now, len(c.path), 0, c.gaps
	for _, b := range c.path {
		if j.batches.whole[b.name] > 0 {
			state.Read++
		}
	}
	switch {
	case len(c.gaps) == 0:
		state.Since = time.Time{}
	case state.Since.IsZero():
		state.Since = now
	}
}

// reportLost puts on record that leaves are lost, once for each time that they are.
func (j *Journal) reportLost(ctx context.Context, gaps []Leaves) {
	data := BatchesLost{Ranges: gaps[:min(len(gaps), maxRanges)]}
	for _, gap := range gaps {
		data.Leaves += gap.Count
	}
	j.cfg.Log.Error("released leaves are in no whole batch of the release bucket; shipping them again",
		"leaves", data.Leaves, "first", gaps[0].First)
	if !j.batches.reported {
		j.batches.reported = j.report(ctx, batchesLost.New(ID{}, data))
	}
}

// reportRestored puts on record that nothing is lost any more, if it was said that something is.
func (j *Journal) reportRestored(ctx context.Context, leaves uint64) {
	if j.batches.reported {
		j.batches.reported = !j.report(ctx, batchesRestored.New(ID{}, BatchesRestored{Leaves: leaves}))
	}
}

// report commits an event about the release bucket, and says whether that has succeeded.
func (j *Journal) report(ctx context.Context, e Event) bool {
	_, err := j.Commit(ctx, Actor{System, "release"}, func(View) (Change, error) {
		return Change{Events: []Event{e}}, nil
	})
	if err != nil && ctx.Err() == nil {
		j.cfg.Log.Error("it could not be put on record how the shipped batches are", "error", err)
	}
	return err == nil
}
