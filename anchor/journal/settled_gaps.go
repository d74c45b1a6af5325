package journal

import (
	"errors"
	"fmt"
	"slices"
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

// ClockActor is the part of the program that puts on record what became of the clock.
const ClockActor = "clock"

var clockActor = Actor{System, ClockActor}

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

func reduceStepped(w *Writer, e Entry, d ClockStepped) error {
	by, err := time.ParseDuration(d.By)
	if err != nil {
		return fmt.Errorf("reading the length of a step: %w", err)
	}
	if by > 0 && w.time.waits(e.Settled) {
		w.time.gap(settledGap{Index: e.Index, At: e.Settled, Step: true, Open: by})
	}
	return nil
}

func reduceStopped(w *Writer, e Entry, d ClockStopped) error {
	length, err := time.ParseDuration(d.For)
	if err != nil || length <= 0 {
		return fmt.Errorf("a stop of %q is not one: %w", d.For, ErrDamaged)
	}
	w.time.gap(settledGap{Index: e.Index, At: e.Settled, Open: length})
	return nil
}

func reduceConfirmed(w *Writer, _ Entry, d ClockConfirmed) error { return w.count(d.Gap, d.Length) }

func reduceAcknowledged(w *Writer, _ Entry, d TimeAcknowledgedData) error {
	return w.count(d.Gap, d.Length)
}

// count lets a part of an open gap count, or all of it.
func (w *Writer) count(index uint64, length string) error {
	by, err := time.ParseDuration(length)
	if err != nil {
		return fmt.Errorf("reading the length of a gap: %w", err)
	}
	if w.hasLooked = true; w.overlay == nil {
		return errNamesOnly
	}
	i := w.time.open(index)
	if i < 0 || by <= 0 || by > w.time.Gaps[i].Open {
		return ErrNoGap
	}
	w.time.Gaps = slices.Clone(w.time.Gaps) // the head's is another
	w.time.Gaps[i].Open -= by
	w.time.Gaps[i].Counted += by
	return nil
}

// open is the place of the open gap whose event has an index; -1 for none.
func (t SettledTime) open(index uint64) int {
	return slices.IndexFunc(t.Gaps, func(g settledGap) bool { return g.Index == index && g.Open > 0 && !g.Every })
}

// counted is how much of the gaps from an index on counts.
func (t SettledTime) counted(from uint64) (sum time.Duration) {
	for _, g := range t.Gaps {
		if g.Index >= from {
			sum += g.Counted
		}
	}
	return sum
}

// Acknowledge is the event by which an actor acknowledges the open gap whose event has the index given, and of which so
// much is open: with both, nobody acknowledges another gap than the one that they were shown. Who has begun what waits
// may not acknowledge, and nothing is acknowledged that by the clock has not passed. There is no event for a gap that
// counts already, so a call can be repeated.
//
// Errors: ErrNoGap; ErrOwnWait; ErrNotPassed.
func Acknowledge(v View, actor string, index uint64, length time.Duration) ([]Event, error) {
	t, err := settledTimeOf(v)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(t.Gaps, func(g settledGap) bool {
		return g.Index == index && g.Open == 0 && g.Counted >= length
	}) {
		return nil, nil
	}
	i := t.open(index)
	switch {
	case i < 0 || t.Gaps[i].Open != length:
		return nil, ErrNoGap
	case t.At.Add(t.counted(0) + length).After(wallOf(v).Add(stepSize)):
		return nil, ErrNotPassed
	}
	own := false
	err = eachWait(v, t, func(w Waiting) { own = own || w.Actor == actor })
	if err == nil && own {
		err = ErrOwnWait
	}
	if err != nil {
		return nil, err
	}
	return []Event{TimeAcknowledged.New(ID{}, TimeAcknowledgedData{Gap: index, Length: length.String()})}, nil
}

// wallOf is what the clock says in a decide.
func wallOf(v View) time.Time {
	if deciding, ok := v.(view); ok {
		return deciding.wall
	}
	return v.Now()
}
