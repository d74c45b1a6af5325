package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// SettledTime is where settled time stands, which waiting periods and lapses go by.
//
// A clock that is put forward must not end a waiting period: in that period somebody was to notice and object. While
// something waits (Writer.Wait), settled time therefore goes by the monotonic clock, as seen at the commits of a
// process that runs. Steps of the wall clock, however large or small, do not move it, and it stands still over a stop.
// Two things leave a gap, which is on record with its length:
//
//   - a stop, which only the wall clock has measured, and which does not count for what waits;
//   - a forward step of the wall clock. It may have been a machine that slept, or an attempt on what waits, so every
//     waiting period that was running begins anew.
//
// A gap that an outside time confirms (OutsideTime), or a second person acknowledges (Acknowledge), counts after all,
// for what had begun to wait before it, and nothing begins anew for it. WaitEnds has this rule. Settled time itself is
// not moved by it: what began to wait after the gap must not end the sooner. So whoever compares with settled time and
// forgets WaitEnds waits too long, never too short.
//
// When nothing waits any more, and what has waited has lapsed, settled time follows the wall clock again: what begins
// to wait later is reckoned from where it stands then. It never goes back.
//
// Each body carries its settled time, where that is not its time, and the head has what follows from the events, open
// gaps included: so a restart goes on from what the head's HMAC authenticates, a replay comes to the same, and no table
// is believed. The table of waits only says what waits; rows added to it or taken away move nothing. The clock that
// remains is the monotonic one, which the machine's root can make run fast by about a tenth.
type SettledTime struct {
	At time.Time `json:"at"`
	// Waits is until when, in settled time, something may wait, and Follows from when on settled time follows the
	// clock, which is not before the last lapse; zero when it does.
	Waits   time.Time `json:"waits,omitzero"`
	Follows time.Time `json:"follows,omitzero"`
	// Longest is the longest of the waiting periods that have begun since nothing waited.
	Longest time.Duration `json:"longest,omitempty"`
	// Gaps are those that may concern what waits, in the order of their events.
	Gaps []settledGap `json:"gaps,omitempty"`
}

// settledGap is a time of which settled time does not know by itself whether it has passed.
type settledGap struct {
	Index uint64 `json:"index"` // of its event
	// At is the settled time at its event, which is later than at any event before.
	At      time.Time     `json:"at"`
	Step    bool          `json:"step,omitempty"`
	Open    time.Duration `json:"open,omitempty"`    // of its length, what is neither confirmed nor acknowledged
	Counted time.Duration `json:"counted,omitempty"` // the rest
	Every   bool          `json:"every,omitempty"`   // it stands for all gaps before it, and nobody can acknowledge it
}

// maxGaps bounds the gaps in the head.
const maxGaps = 100

// waitTable has what waits, under the end of its waiting period and the index of its event.
var waitTable = NewRows[waitRow]("journal.waits")

type waitRow struct {
	What   string    `json:"what"`
	Tenant string    `json:"tenant"`
	Actor  string    `json:"actor"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
}

// errSettledBack says that a body's settled time is before that of an event before it.
var errSettledBack = fmt.Errorf("its settled time is before that of an earlier event: %w", ErrDamaged)

// Wait says that from this event on something waits until a settled time, so that its actor can be stopped, and lapses
// at another: what is the name of an act, such as "trim". Until then settled time does not follow the clock. A reducer
// names the sealed rows of its event before.
func (w *Writer) Wait(what string, until, lapses time.Time) error {
	from := w.entry.Settled
	if !until.After(from) {
		return nil
	}
	w.time.Waits = later(w.time.Waits, until)
	w.time.Follows = later(w.time.Follows, later(until, lapses))
	w.time.Longest = max(w.time.Longest, until.Sub(from))
	if err := w.forgetWaits(oldWaits, false); err != nil {
		return err
	}
	row := waitRow{What: what, Tenant: w.entry.Tenant, Actor: w.entry.Actor, From: from, Until: until}
	return waitTable.Put(w, waitKey(until, w.entry.Index), row)
}

// oldWaits is how many rows of waits that are over a new one removes, so that the table does not grow.
const oldWaits = 8

// forgetWaits deletes some of the first rows of the table of waits, which are the oldest: those that are over, or all.
func (w *Writer) forgetWaits(most int, all bool) error {
	var over [][]byte
	err := waitTable.Scan(w, Range{}, func(key []byte, row waitRow) error {
		if len(over) == most || !all && w.time.At.Before(w.time.ends(row.From, row.Until)) {
			return Stop
		}
		over = append(over, bytes.Clone(key))
		return nil
	})
	for _, key := range over {
		if err == nil {
			err = waitTable.Delete(w, key)
		}
	}
	return err
}

// Waited says that what the event at an index has made wait does so no longer: it was withdrawn, or something else has
// taken its place. Settled time does not follow the clock any sooner for it.
func (w *Writer) Waited(index uint64, until time.Time) error {
	return waitTable.Delete(w, waitKey(until, index))
}

func waitKey(until time.Time, index uint64) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(until.UnixMicro()))
	return binary.BigEndian.AppendUint64(key, index)
}

// waits says whether something may wait at a settled time.
func (t SettledTime) waits(at time.Time) bool { return at.Before(t.Waits) }

// follow is the settled time of a group: what has passed, or the clock's time where it follows the clock. It goes on by
// what has passed while the clock is far behind, so that lapses are not put off by a clock that was put back.
func (t SettledTime) follow(r reading) time.Time {
	if r.settled.Before(t.Follows) || r.settled.Sub(r.wall) > stepSize {
		return r.settled
	}
	return later(t.At, r.wall)
}

// pass lets settled time come to at. over says that this is the end of all that waits and lapses. Gaps are forgotten
// when everything that began to wait before the last of them is over.
func (t *SettledTime) pass(at time.Time) (over bool) {
	t.At = at
	if over = !t.Follows.IsZero() && !at.Before(t.Follows); over {
		*t = SettledTime{At: at}
	}
	if n := len(t.Gaps); n > 0 && !at.Before(t.Gaps[n-1].At.Add(t.Longest)) {
		t.Gaps = nil
	}
	return over
}

// pass lets settled time come to that of the next event of a step.
func (s *step) pass(at time.Time) error {
	if at.Before(s.time.At) {
		return errSettledBack
	}
	if !s.time.pass(at) {
		return nil
	}
	return s.forgetWaits(math.MaxInt, true)
}

// gap adds a gap. When there are too many, a stop is left out, so nobody can acknowledge it, and with a step everything
// begins anew for good.
func (t *SettledTime) gap(g settledGap) {
	if g.Step {
		t.Waits = later(t.Waits, g.At.Add(t.Longest))
		t.Follows = later(t.Follows, t.Waits)
	}
	switch {
	case len(t.Gaps) < maxGaps:
		t.Gaps = append(slices.Clip(t.Gaps), g)
	case g.Step:
		t.Gaps = []settledGap{{Index: math.MaxUint64, At: g.At, Step: true, Open: g.Open, Every: true}}
	}
}

// ends is the settled time at which a waiting period ends.
func (t SettledTime) ends(from, until time.Time) time.Time {
	end := until
	for _, g := range t.Gaps {
		switch {
		case !from.Before(g.At): // it had not begun
		case !end.After(g.At) && !g.Every: // it was over
			return end
		case g.Step && g.Open > 0:
			end = g.At.Add(until.Sub(from))
		default:
			end = end.Add(-g.Counted)
		}
	}
	return end
}

// WaitEnds is the settled time at which a waiting period ends that began at one settled time and was to last until
// another: later where it has begun anew, sooner where gaps count. r is a view, a reducer's writer, what a check of the
// journal asks about, or a snapshot. A snapshot answers for display: its head row was not verified.
func WaitEnds(r Reader, from, until time.Time) (time.Time, error) {
	t, err := settledTimeOf(r)
	return t.ends(from, until), err
}

// settledTimeOf reads where settled time stands.
func settledTimeOf(r Reader) (SettledTime, error) {
	if deciding, ok := r.(interface{ settledTime() SettledTime }); ok {
		return deciding.settledTime(), nil
	}
	head, _, err := readHead(r)
	return head.Time, err
}

func (w *Writer) settledTime() SettledTime { return w.time }
