package journal

import "time"

// Clock tells the time. A real clock's readings carry the monotonic reading of [time.Now], by which steps are noticed.
type Clock interface {
	Now() time.Time
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now is [time.Now].
func (SystemClock) Now() time.Time { return time.Now() }

// stepSize is by how much the clock may drift between two commits without an event about it.
const stepSize = time.Minute

// timekeeper derives the journal's time from the clock's: it never goes back, and it notices steps of the clock.
type timekeeper struct {
	clock  Clock
	last   time.Time // the clock's last reading, with its monotonic part
	behind bool      // whether it is on record that the clock is behind the journal
}

// reading is the time of one group.
type reading struct {
	now  time.Time     // the journal's time: the later of the head's and the clock's
	wall time.Time     // the clock's
	step time.Duration // by how much the clock stepped, when that is to go on record
}

// read takes the time for a group whose head was written at the time given. It changes nothing, because the group may
// be run again; advance does.
func (k *timekeeper) read(head time.Time) (reading, time.Time) {
	raw := k.clock.Now()
	r := reading{wall: raw.UTC().Round(0).Truncate(time.Microsecond)}
	r.now = r.wall
	if head.After(r.now) {
		r.now = head
	}
	if !k.last.IsZero() {
		// Round strips the monotonic reading: the first difference is the clock's, the second is time itself.
		if step := raw.Round(0).Sub(k.last.Round(0)) - raw.Sub(k.last); step.Abs() > stepSize {
			r.step = step
		}
	}
	if lag := head.Sub(r.wall); r.step == 0 && lag > stepSize && !k.behind {
		r.step = -lag
	}
	return r, raw
}

// advance stores the reading of a group that was committed.
func (k *timekeeper) advance(r reading, raw time.Time) {
	k.last = raw
	k.behind = r.now.Sub(r.wall) > stepSize
}
