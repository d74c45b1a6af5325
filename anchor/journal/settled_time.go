package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// SettledTime is where settled time stands, which waiting periods and lapses go by.
//
// A clock that is put forward must not end a waiting period: in that period somebody was to notice and object. While
// something waits (Writer.Wait), settled time therefore goes
//
//   - by the monotonic clock while a process runs, as seen at its commits: neither a forward nor a backward step of the
//     wall clock, however large or small, moves it;
//   - over a stop, which only the wall clock has measured, by nothing. The stop is on record as a gap, with its length,
//     until an outside time confirms it or a person acknowledges it ([Acknowledge]), which moves
//     settled time on by it;
//   - past a forward step of the wall clock as if there had been none. It may have been a machine that slept, so the
//     step is a gap too. It may have been an attempt on what waits, so every waiting period that was running begins anew
//     (WaitEnds), unless the step is acknowledged in time.
//
// While nothing waits it follows the wall clock, and gaps are forgotten: what begins to wait later is reckoned from
// where settled time stands then. It never goes back.
//
// Each body carries its settled time, where that is not its time, and the head has what follows from the events: so a
// restart goes on from a value that the head's HMAC authenticates, a replay comes to the same one, and no table is
// believed. The tables of waits and gaps only say what waits and what is open; rows added to them or taken away move
// nothing, because an acknowledgement proves its gap against the head, and is good for as much as the head has open.
// The clock that remains is the monotonic one, which the machine's root can make run fast by about a tenth.
type SettledTime struct {
	At time.Time `json:"at"`
	// Waits is until when, in settled time, something waits; zero if nothing does.
	Waits time.Time `json:"waits,omitzero"`
	// Longest is the longest of the waiting periods that have begun since nothing waited.
	Longest time.Duration `json:"longest,omitempty"`
	// Open is the length of all gaps together that are neither confirmed nor acknowledged.
	Open time.Duration `json:"open,omitempty"`
	// Steps is how many of them are forward steps, and Anew the settled time of the last one.
	Steps int       `json:"steps,omitempty"`
	Anew  time.Time `json:"anew,omitzero"`
}

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

// Wait says that from this event on something waits until a settled time, so that its actor can be stopped: what is the
// name of an act, such as "trim". Until then settled time does not follow the clock.
func (w *Writer) Wait(what string, until time.Time) error {
	from := w.entry.Settled
	if !until.After(from) {
		return nil
	}
	w.time.Waits = later(w.time.Waits, until)
	w.time.Longest = max(w.time.Longest, until.Sub(from))
	row := waitRow{What: what, Tenant: w.entry.Tenant, Actor: w.entry.Actor, From: from, Until: until}
	return waitTable.Put(w, waitKey(until, w.entry.Index), row)
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

// waits says whether something waits at a settled time.
func (t SettledTime) waits(at time.Time) bool { return at.Before(t.Waits) }

// follow is the settled time of a group while nothing waits: the clock's. It goes on by what has passed while the clock
// is far behind it, so that lapses are not put off by a clock that was put back.
func (t SettledTime) follow(r reading) time.Time {
	if r.settled.Sub(r.wall) > stepSize {
		return r.settled
	}
	return later(t.At, r.wall)
}

// pass lets settled time come to at. When that is the end of all that waits, nothing is left of the gaps.
func (t *SettledTime) pass(at time.Time) (over bool) {
	t.At = at
	if t.Waits.IsZero() || t.waits(at) {
		return false
	}
	*t = SettledTime{At: at}
	return true
}

// pass lets settled time come to that of the next event of a step.
func (s *step) pass(at time.Time) error {
	if at.Before(s.time.At) {
		return errSettledBack
	}
	if !s.time.pass(at) {
		return nil
	}
	return errors.Join(clearRows(&s.Writer, waitTable.table), clearRows(&s.Writer, gapTable.table))
}

// clearRows deletes all rows of a projection.
func clearRows(w *Writer, t Table) error {
	var keys [][]byte
	err := w.Scan(t, Range{}, func(key, _ []byte) error {
		keys = append(keys, bytes.Clone(key))
		return nil
	})
	for _, key := range keys {
		err = errors.Join(err, w.Delete(t, key))
	}
	return err
}

// ends is the settled time at which a waiting period ends.
func (t SettledTime) ends(from, until time.Time) time.Time {
	if from.Before(t.Anew) && t.Anew.Before(until) {
		return t.Anew.Add(until.Sub(from))
	}
	return until
}

// WaitEnds is the settled time at which a waiting period ends that began at one settled time and was to last until
// another: later than that where it has begun anew. r is a view, a reducer's writer, what a check of the journal asks
// about, or a snapshot. A snapshot answers for display: its head row was not verified.
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
