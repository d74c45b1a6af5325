package journal

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// TimeStatus is where the journal's times stand, and why.
type TimeStatus struct {
	Settled time.Time
	Wall    time.Time // the clock
	// Waits are what waits, in the order of their ends.
	Waits []Waiting
	// Gaps are the open gaps of settled time, oldest first. There are none while nothing waits.
	Gaps []Gap
}

// Behind is how long all open gaps are together: so much later does what has waited since before them end.
func (s TimeStatus) Behind() (sum time.Duration) {
	for _, g := range s.Gaps {
		sum += g.Length
	}
	return sum
}

// Clock is when the clock shows that a settled time has come, if the process runs until then.
func (s TimeStatus) Clock(settled time.Time) time.Time { return s.Wall.Add(settled.Sub(s.Settled)) }

// Waiting is something that waits.
type Waiting struct {
	What   string // the name of an act, such as "trim"
	Tenant string
	Actor  string // who has begun it
	Index  uint64 // of its event
	// From and Until are the beginning and the end of its waiting period, in settled time, by WaitEnds.
	From, Until time.Time
}

// Gap is a time of which settled time does not know whether it has passed.
type Gap struct {
	Index  uint64        // of its event
	Length time.Duration // of what is open of it
	Step   bool          // the clock stepped forward, and what waited has begun anew; else no process ran
	// Settled is the settled time at its event.
	Settled time.Time
}

// shownWaits bounds what waits in a TimeStatus.
const shownWaits = 1000

// Time says where the journal's times stand.
func (j *Journal) Time(ctx context.Context) (TimeStatus, error) {
	var out TimeStatus
	err := j.View(ctx, func(r Reader) error {
		head, err := j.authenticHead(r)
		if err != nil {
			return err
		}
		keeper := timekeeper{clock: j.cfg.Clock}
		if last := j.timeSeen.Load(); last != nil {
			keeper = *last
		}
		at, _ := keeper.read(head)
		out = TimeStatus{Settled: at.settled, Wall: at.wall}
		head.Time.pass(at.settled)
		err = eachWait(r, head.Time, func(w Waiting) { out.Waits = append(out.Waits, w) })
		if err != nil {
			return err
		}
		for _, g := range head.Time.Gaps {
			if g.Open > 0 && !g.Every {
				out.Gaps = append(out.Gaps, Gap{Index: g.Index, Length: g.Open, Step: g.Step, Settled: g.At})
			}
		}
		return err
	})
	if err != nil {
		return TimeStatus{}, fmt.Errorf("reading the settled time: %w", err)
	}
	return out, nil
}

// Settled is the settled time now.
func (j *Journal) Settled(ctx context.Context) (time.Time, error) {
	s, err := j.Time(ctx)
	return s.Settled, err
}

// eachWait calls fn for what waits when settled time stands where it is said to.
func eachWait(r Reader, at SettledTime, fn func(Waiting)) error {
	n := 0
	return waitTable.Scan(r, Range{}, func(key []byte, row waitRow) error {
		until := at.ends(row.From, row.Until)
		if !at.At.Before(until) || len(key) != 16 {
			return nil
		}
		if n++; n > shownWaits {
			return Stop
		}
		fn(Waiting{What: row.What, Tenant: row.Tenant, Actor: row.Actor, Index: binary.BigEndian.Uint64(key[8:]),
			From: row.From, Until: until})
		return nil
	})
}
