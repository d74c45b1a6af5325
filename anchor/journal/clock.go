package journal

import "time"

// Clock tells the time. A real clock's readings carry the monotonic reading of [time.Now], by which steps are noticed,
// and by which settled time goes.
type Clock interface {
	Now() time.Time
}

// MonotonicClock is a Clock that says itself how much time has passed since a moment of its own, whatever became of the
// time that it shows. A test's clock is one; the readings of a real clock say it themselves.
type MonotonicClock interface {
	Clock
	Monotonic() time.Duration
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now is [time.Now].
func (SystemClock) Now() time.Time { return time.Now() }

// stepSize is by how much the clock may drift between two commits without an event about it.
const stepSize = time.Minute

// moment is one look at the clock.
type moment struct {
	wall time.Time     // with its monotonic reading, where the clock gives one
	mono time.Duration // of a MonotonicClock
}

// timekeeper derives the journal's times from the clock's: neither goes back, steps of the clock are noticed, and
// settled time goes by what has really passed.
type timekeeper struct {
	clock   Clock
	last    moment    // of the last commit; zero before the first one of this process
	settled time.Time // settled time after the last commit
	behind  bool      // whether it is on record that the clock is behind the journal
}

// reading is the time of one group.
type reading struct {
	now     time.Time     // the journal's time: the later of the head's and the clock's
	wall    time.Time     // the clock's
	settled time.Time     // settled time
	step    time.Duration // by how much the clock stepped, when that is to go on record
	stopped time.Duration // for how long no process has written, by the clock, when that is to go on record
}

// look takes a moment.
func (k *timekeeper) look() moment {
	m := moment{wall: k.clock.Now()}
	if clock, ok := k.clock.(MonotonicClock); ok {
		m.mono = clock.Monotonic()
	}
	return m
}

// since is how much time has passed since the last commit of this process.
func (k *timekeeper) since(m moment) time.Duration {
	if k.last.wall.IsZero() {
		return 0
	}
	passed := m.wall.Sub(k.last.wall)
	if _, ok := k.clock.(MonotonicClock); ok {
		passed = m.mono - k.last.mono
	}
	return max(passed, 0)
}

// read takes the time for a group above a head. It changes nothing, because the group may be run again; advance does.
func (k *timekeeper) read(head Head) (reading, moment) {
	m := k.look()
	r := reading{wall: m.wall.UTC().Round(0).Truncate(time.Microsecond)}
	r.now = later(r.wall, head.At)
	first := k.last.wall.IsZero()
	if !first {
		// Round strips the monotonic reading: the first difference is the clock's, the second is time itself.
		if step := m.wall.Round(0).Sub(k.last.wall.Round(0)) - k.since(m); step.Abs() > stepSize {
			r.step = step.Truncate(time.Second)
		}
	}
	if lag := head.At.Sub(r.wall); r.step == 0 && lag > stepSize && !k.behind {
		r.step = -lag
	}
	r.settled = later(head.Time.At, k.settled.Add(k.since(m)).Truncate(time.Microsecond))
	r.settled = head.Time.follow(r)
	if !head.Time.waits(r.settled) {
		return r, m
	}
	if stopped := r.wall.Sub(head.Wall); first && stopped > stepSize {
		r.stopped = stopped.Truncate(time.Second) // so that people can type it
	}
	if r.stopped > 0 || r.step > 0 {
		r.settled = r.settled.Add(time.Microsecond) // so the gap comes after what began to wait before it
	}
	return r, m
}

// advance stores the reading of a group that was committed, and the settled time after it.
func (k *timekeeper) advance(r reading, m moment, settled time.Time) {
	k.last, k.settled = m, settled
	k.behind = r.now.Sub(r.wall) > stepSize
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
