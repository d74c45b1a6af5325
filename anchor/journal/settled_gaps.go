package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoGap says that there is no open gap of settled time of that index and length.
	ErrNoGap = errors.New("no open gap of settled time is of that index and length")
	// ErrOwnWait says that the actor of what waits would acknowledge a gap.
	ErrOwnWait = errors.New("what waits was begun by the same person: this takes another one")
	// ErrNotPassed says that settled time would come to lie after the clock.
	ErrNotPassed = errors.New("by the clock so much time has not passed")
)

// clockActor is the part of the program that puts on record what became of the clock.
var clockActor = Actor{System, "clock"}

// The events about the clock and about settled time.
const (
	clockStepped Type[ClockStepped] = "clock.stepped/1"
	clockStopped Type[ClockStopped] = "clock.stopped/1"
	// clockSettled keeps settled time going while nothing else happens. It is quiet.
	clockSettled   Type[ClockSettled]   = "clock.settled/1"
	clockConfirmed Type[ClockConfirmed] = "clock.confirmed/1"
	// TimeAcknowledged is caused by a person, whose permission its commit has to ask for.
	TimeAcknowledged Type[TimeAcknowledgedData] = "time.acknowledged/1"
)

// ClockStepped is the data of clock.stepped/1: the clock went back, or forward by more than time did. While something
// waits, a step forward is a gap of settled time.
type ClockStepped struct {
	By string `json:"by"` // a Go duration; negative for back
}

// ClockStopped is the data of clock.stopped/1: something waits, and before this event no process wrote any for so long,
// by the clock, which is all that knows. It is a gap of settled time.
type ClockStopped struct {
	For string `json:"for"` // a Go duration
}

// ClockSettled is the data of clock.settled/1: a process runs, and something waits.
type ClockSettled struct{}

// ClockConfirmed is the data of clock.confirmed/1: by an outside time, so much of a gap did pass.
type ClockConfirmed struct {
	Gap    uint64 `json:"gap"`    // the index of its event
	Length string `json:"length"` // a Go duration
}

// TimeAcknowledgedData is the data of time.acknowledged/1: the actor knows that what is open of a gap did pass.
type TimeAcknowledgedData struct {
	Gap    uint64 `json:"gap"`    // the index of its event
	Length string `json:"length"` // a Go duration
}

// gapTable has the open gaps of settled time, under the indexes of their events.
var gapTable = NewRows[gapRow]("journal.gaps")

type gapRow struct {
	Length time.Duration `json:"length"` // of what is neither confirmed nor acknowledged
	Step   bool          `json:"step,omitempty"`
	At     time.Time     `json:"at"`
}

func reduceStepped(w *Writer, e Entry, d ClockStepped) error {
	by, err := time.ParseDuration(d.By)
	if err != nil {
		return fmt.Errorf("reading the length of a step: %w", err)
	}
	if by <= 0 || !w.time.waits(e.Settled) {
		return nil
	}
	w.time.Steps++
	w.time.Anew = e.Settled
	w.time.Waits = later(w.time.Waits, e.Settled.Add(w.time.Longest))
	return w.openGap(e, gapRow{Length: by, Step: true, At: e.At})
}

func reduceStopped(w *Writer, e Entry, d ClockStopped) error {
	length, err := time.ParseDuration(d.For)
	if err != nil || length <= 0 {
		return fmt.Errorf("a stop of %q is not one: %w", d.For, ErrDamaged)
	}
	return w.openGap(e, gapRow{Length: length, At: e.At})
}

func (w *Writer) openGap(e Entry, gap gapRow) error {
	w.time.Open += gap.Length
	return gapTable.Put(w, indexKey(e.Index), gap)
}

func reduceConfirmed(w *Writer, _ Entry, d ClockConfirmed) error { return w.closeGap(d.Gap, d.Length) }

func reduceAcknowledged(w *Writer, _ Entry, d TimeAcknowledgedData) error {
	return w.closeGap(d.Gap, d.Length)
}

// closeGap moves settled time on by a part of a gap, or all that is open of it.
func (w *Writer) closeGap(index uint64, length string) error {
	by, err := time.ParseDuration(length)
	if err != nil {
		return fmt.Errorf("reading the length of a gap: %w", err)
	}
	gap, ok, err := gapTable.Get(w, indexKey(index))
	switch {
	case err != nil:
		return err
	case !ok || by <= 0 || by > gap.Length || by > w.time.Open:
		return ErrNoGap
	}
	w.time.Open -= by
	w.time.At = w.time.At.Add(by)
	if gap.Length -= by; gap.Length > 0 {
		return gapTable.Put(w, indexKey(index), gap)
	}
	if gap.Step && w.time.Steps > 0 {
		if w.time.Steps--; w.time.Steps == 0 {
			w.time.Anew = time.Time{}
		}
	}
	return gapTable.Delete(w, indexKey(index))
}

// Acknowledge is the event by which an actor acknowledges the open gap whose event has the index given, and of which so
// much is open: with both, nobody acknowledges another gap than the one that they were shown. The gap is proved against
// the head of the log. Who has begun what waits may not acknowledge, and nothing is acknowledged that by the clock has
// not passed.
//
// Errors: ErrNoGap; ErrOwnWait; ErrNotPassed; ErrDamaged.
func (j *Journal) Acknowledge(v View, actor string, index uint64, length time.Duration) (Event, error) {
	at, err := settledTimeOf(v)
	if err != nil {
		return Event{}, err
	}
	gap, ok, err := gapTable.Get(v, indexKey(index))
	switch {
	case err != nil:
		return Event{}, err
	case !ok || gap.Length != length || length > at.Open:
		return Event{}, ErrNoGap
	case at.At.Add(length).After(wallOf(v).Add(stepSize)):
		return Event{}, ErrNotPassed
	}
	if err := j.proveGap(v, index, length); err != nil {
		return Event{}, err
	}
	own := false
	err = eachWait(v, at, func(w Waiting) { own = own || w.Actor == actor })
	if err == nil && own {
		err = ErrOwnWait
	}
	data := TimeAcknowledgedData{Gap: index, Length: length.String()}
	return TimeAcknowledged.New(ID{}, data), err
}

// proveGap says whether the log has a gap at an index that is at least so long.
func (j *Journal) proveGap(v View, index uint64, length time.Duration) error {
	prover, err := j.Prover(v)
	if err != nil {
		return err
	}
	rec, err := prover.Record(index)
	if errors.Is(err, ErrNotFound) {
		return ErrNoGap
	}
	if err != nil {
		return err
	}
	recorded, err := gapLength(rec)
	if err == nil && recorded < length {
		err = ErrNoGap
	}
	return err
}

// gapLength is the length of a gap as its event has it; 0 for an event of another type.
func gapLength(rec Record) (time.Duration, error) {
	var data struct {
		ClockStepped
		ClockStopped
	}
	if rec.Type != string(clockStepped) && rec.Type != string(clockStopped) {
		return 0, nil
	}
	if err := json.Unmarshal(rec.Data, &data); err != nil {
		return 0, fmt.Errorf("reading a gap: %w", ErrDamaged)
	}
	return time.ParseDuration(data.By + data.For)
}

// wallOf is what the clock says in a decide.
func wallOf(v View) time.Time {
	if deciding, ok := v.(view); ok {
		return deciding.wall
	}
	return v.Now()
}
