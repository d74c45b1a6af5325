package journal_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muniment/anchor/journal"
	"muniment/anchor/journal/memory"
)

var bob = journal.Actor{Tenant: "default", ID: "bob"}

// wait begins a waiting period, after which it lapses, and returns its beginning and end in settled time.
func wait(t testing.TB, j *journal.Journal, period, lapse time.Duration) (from, until time.Time) {
	t.Helper()
	_, err := j.Commit(t.Context(), alice, func(v journal.View) (journal.Change, error) {
		from, until = v.Settled(), v.Settled().Add(period)
		return journal.Change{Events: []journal.Event{waited.New(journal.ID{}, waitData{until, until.Add(lapse)})}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return from, until
}

// over says whether a waiting period has ended, as a commit that writes sees it.
func over(t testing.TB, j *journal.Journal, from, until time.Time) bool {
	t.Helper()
	ended := false
	_, err := j.Commit(t.Context(), alice, func(v journal.View) (journal.Change, error) {
		end, err := journal.WaitEnds(v, from, until)
		ended = !v.Settled().Before(end)
		return journal.Change{Events: []journal.Event{looked.New(docID(1), noteData{})}}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func acknowledge(ctx context.Context, j *journal.Journal, who journal.Actor, gap uint64, length time.Duration) error {
	_, err := j.Commit(ctx, who, func(v journal.View) (journal.Change, error) {
		events, err := journal.Acknowledge(v, who.ID, gap, length)
		return journal.Change{Events: events}, err
	})
	return err
}

func timeOf(t testing.TB, j *journal.Journal) journal.TimeStatus {
	t.Helper()
	status, err := j.Time(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// TestSettledFollowsWhileNothingWaits: then it is the clock's time, and no event is about it.
func TestSettledFollowsWhileNothingWaits(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for _, later := range []time.Duration{time.Second, 60 * time.Hour, 365 * 24 * time.Hour} {
		k.clock.Step(later)
		if err := j.KeepTime(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := commit(t, j, looked.New(docID(1), noteData{}))
		if rec, err := j.Record(t.Context(), r.Index); err != nil || !rec.Settled.Equal(rec.At) {
			t.Errorf("the settled time is %v at %v, %v", rec.Settled, rec.At, err)
		}
	}
	if s := timeOf(t, j); len(s.Gaps) > 0 || !s.Settled.Equal(s.Wall) {
		t.Errorf("there are gaps, or it does not follow: %+v", s)
	}
	k.clock.Step(-700 * 24 * time.Hour) // lapses go on by what passes, whatever the clock says
	commit(t, j, looked.New(docID(1), noteData{}))
	before := timeOf(t, j).Settled
	k.clock.Advance(time.Hour)
	if passed := timeOf(t, j).Settled.Sub(before); passed != time.Hour {
		t.Errorf("%v have passed while the clock was behind, want 1h", passed)
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", first(found))
	}
}

// TestStopIsAGap: a weekend off does not count until somebody else than who waits acknowledges it, by its index and
// length.
func TestStopIsAGap(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	from, until := wait(t, j, 72*time.Hour, 0)
	k.clock.Advance(12 * time.Hour)
	commit(t, j, looked.New(docID(1), noteData{}))
	k.close(t, j)
	k.clock.Advance(60 * time.Hour)
	j = k.open(t)
	if over(t, j, from, until) {
		t.Fatal("the stop has ended the waiting period")
	}
	s := timeOf(t, j)
	if len(s.Gaps) != 1 || s.Gaps[0].Length != 60*time.Hour || s.Gaps[0].Step || s.Behind() != 60*time.Hour {
		t.Fatalf("the stop is not on record: %+v", s)
	}
	if len(s.Waits) != 1 || s.Waits[0].Actor != alice.ID || !s.Waits[0].Until.Equal(until) ||
		!s.Clock(until).Equal(start.Add(132*time.Hour-time.Microsecond)) {
		t.Errorf("what waits is %+v", s.Waits)
	}
	gap := s.Gaps[0]
	for _, c := range []struct {
		who    journal.Actor
		index  uint64
		length time.Duration
		want   error
	}{
		{alice, gap.Index, gap.Length, journal.ErrOwnWait},
		{bob, gap.Index, gap.Length - time.Second, journal.ErrNoGap},
		{bob, gap.Index - 1, gap.Length, journal.ErrNoGap},
		{bob, gap.Index, gap.Length, nil},
		{bob, gap.Index, gap.Length, nil}, // again
		{bob, gap.Index, gap.Length + time.Second, journal.ErrNoGap},
	} {
		if err := acknowledge(t.Context(), j, c.who, c.index, c.length); !errors.Is(err, c.want) {
			t.Errorf("%s acknowledges %v at %d: %v, want %v", c.who.ID, c.length, c.index, err, c.want)
		}
	}
	if s := timeOf(t, j); len(s.Gaps) != 0 || len(s.Waits) != 0 {
		t.Errorf("after the acknowledgement there are gaps, or something waits: %+v", s)
	}
	if !over(t, j, from, until) {
		t.Error("the acknowledged stop does not count")
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", first(found))
	}
}

// TestStepBeginsAnew: after a forward step what waits begins anew, unless somebody acknowledges it.
func TestStepBeginsAnew(t *testing.T) {
	t.Parallel()
	for _, acknowledged := range []bool{false, true} {
		k := newKit(t)
		j := k.open(t)
		from, until := wait(t, j, 72*time.Hour, 0)
		k.clock.Advance(48 * time.Hour)
		k.clock.Step(10 * time.Hour)
		if over(t, j, from, until) {
			t.Fatal("the step has ended the waiting period")
		}
		left := 72 * time.Hour
		if s := timeOf(t, j); len(s.Gaps) != 1 || !s.Gaps[0].Step || s.Waits[0].Until.Sub(s.Settled) != left {
			t.Fatalf("the step is not on record, or nothing begins anew: %+v", s)
		}
		if acknowledged {
			left = 14 * time.Hour
			if err := acknowledge(t.Context(), j, bob, timeOf(t, j).Gaps[0].Index, 10*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		k.clock.Advance(left - time.Second)
		if over(t, j, from, until) {
			t.Errorf("acknowledged %t: the waiting period has ended early", acknowledged)
		}
		k.clock.Advance(time.Second)
		if !over(t, j, from, until) {
			t.Errorf("acknowledged %t: the waiting period does not end", acknowledged)
		}
		k.close(t, j)
		if found := k.fsck(t); len(found) > 0 {
			t.Errorf("fsck: %v", first(found))
		}
	}
}

// TestFirstDecideSeesTheGap: what is decided first after a step or a stop knows of it, and it goes on record even if
// nothing else does.
func TestFirstDecideSeesTheGap(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	from, until := wait(t, j, 72*time.Hour, 0)
	ends := func() (end time.Time) {
		t.Helper()
		_, err := j.Commit(t.Context(), bob, func(v journal.View) (_ journal.Change, err error) {
			end, err = journal.WaitEnds(v, from, until)
			return journal.Change{}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
	k.clock.Advance(48 * time.Hour)
	if end := ends(); !end.Equal(until) {
		t.Errorf("the waiting period ends at %v, want %v", end, until)
	}
	k.clock.Step(time.Hour)
	if end := ends(); end.Sub(until) < 48*time.Hour {
		t.Errorf("after the step it ends at %v and does not begin anew", end)
	}
	k.close(t, j)
	k.clock.Advance(time.Hour)
	j = k.open(t)
	ends()
	if gaps := timeOf(t, j).Gaps; len(gaps) != 2 || !gaps[0].Step || gaps[1].Step {
		t.Errorf("there are these gaps: %+v", gaps)
	}
	k.close(t, j)
}

// TestAcknowledgedAgainstTheClock: nobody acknowledges what by the clock has not passed.
func TestAcknowledgedAgainstTheClock(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	wait(t, j, 72*time.Hour, 0)
	k.clock.Step(10 * time.Hour)
	commit(t, j, looked.New(docID(1), noteData{}))
	k.clock.Step(-10 * time.Hour)
	gap := timeOf(t, j).Gaps[0]
	if err := acknowledge(t.Context(), j, bob, gap.Index, gap.Length); !errors.Is(err, journal.ErrNotPassed) {
		t.Errorf("acknowledging a step that was taken back: %v", err)
	}
	k.close(t, j)
}

// TestManyGaps: more steps than the head holds leave none of them out, and stops beyond that leave out only themselves.
func TestManyGaps(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	from, until := wait(t, j, 72*time.Hour, 0)
	for range 105 {
		k.clock.Advance(time.Hour)
		k.clock.Step(time.Hour)
		if over(t, j, from, until) {
			t.Fatal("the steps have ended the waiting period")
		}
	}
	s := timeOf(t, j)
	if len(s.Gaps) != 4 || s.Waits[0].Until.Sub(s.Settled) != 72*time.Hour {
		t.Errorf("%d gaps are open, and it waits until %v after %v", len(s.Gaps), s.Waits[0].Until, s.Settled)
	}
	for _, g := range s.Gaps {
		if err := acknowledge(t.Context(), j, bob, g.Index, g.Length); err != nil {
			t.Error(err)
		}
	}
	if err := acknowledge(t.Context(), j, bob, 1<<64-1, time.Hour); !errors.Is(err, journal.ErrNoGap) {
		t.Errorf("acknowledging all that came before: %v", err)
	}
	for range 120 {
		k.close(t, j)
		k.clock.Advance(2 * time.Minute)
		j = k.open(t)
		commit(t, j, looked.New(docID(1), noteData{}))
	}
	if s := timeOf(t, j); len(s.Gaps) != 95 {
		t.Errorf("%d stops can be acknowledged, want 95", len(s.Gaps))
	}
	k.clock.Advance(64*time.Hour - time.Second) // since the step that stands for all others, 4h ran and 4h count
	if over(t, j, from, until) {
		t.Error("the waiting period has ended early")
	}
	k.clock.Advance(time.Second)
	if !over(t, j, from, until) {
		t.Error("the waiting period does not end")
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", first(found))
	}
}

// TestTick: while something waits an idle journal puts a quiet event on record each hour, so a stop costs no more of
// the time before it; when nothing waits any more it is idle.
func TestTick(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	from, until := wait(t, j, 72*time.Hour, 0)
	size := j.Size()
	for range 100 * 4 {
		k.clock.Advance(15 * time.Minute)
		if err := j.KeepTime(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if ticks := j.Size() - size; ticks != 72 { // the last one puts the end of what waits on record
		t.Errorf("there were %d ticks, want 72", ticks)
	}
	k.close(t, j)
	j = k.open(t)
	if !over(t, j, from, until) {
		t.Error("idle time did not count")
	}
	k.close(t, j)
}

// outside is an outside time that a test sets, by sizes of the log.
type outside map[uint64]time.Duration

func (o outside) Since(_ context.Context, size uint64) (time.Duration, error) { return o[size], nil }

// TestOutsideTime: an outside time confirms as much of a gap as it knows to have passed, less what has counted since.
func TestOutsideTime(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	from, until := wait(t, j, 72*time.Hour, 0)
	k.close(t, j)
	k.clock.Advance(80 * time.Hour)
	knows := outside{}
	cfg := k.config(t)
	cfg.Outside = knows
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if over(t, j, from, until) {
		t.Fatal("the stop has ended the waiting period")
	}
	gap := timeOf(t, j).Gaps[0]
	k.clock.Advance(2 * time.Hour)
	for _, c := range []struct{ since, open int }{ // hours
		{0, 80}, {2, 80}, {32, 50}, {32, 50}, {81, 1}, {200, 0},
	} {
		knows[gap.Index] = time.Duration(c.since) * time.Hour
		if err := j.KeepTime(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := timeOf(t, j).Behind().Round(time.Second); got.Hours() != float64(c.open) {
			t.Errorf("when %d hours are confirmed, %v are open, want %dh", c.since, got, c.open)
		}
	}
	if !over(t, j, from, until) {
		t.Error("the confirmed stop does not count")
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", first(found))
	}
}

// timeModel is what really happens, and what of it may count.
type timeModel struct {
	real      time.Duration // that has really passed
	committed time.Duration // real, at the last commit
	drift     time.Duration // the clock's error since then
	drifts    time.Duration // the worst step back
	asleep    time.Duration // of real, since then, the machine slept
	running   bool          // this process has committed
	waits     []*modelWait
	gaps      map[uint64]*modelGap // open ones
}

type modelGap struct {
	step, counts bool
	length       time.Duration
	honest       bool // so much did pass
}

type modelWait struct {
	from, until time.Time
	begun       time.Duration // real
	story       []modelPart
	done        bool // it was over when the gaps were forgotten
}

// modelPart is a part of a wait's story: a time in which a process ran, or a gap.
type modelPart struct {
	ran time.Duration
	gap *modelGap
}

func (w *modelWait) period() time.Duration { return w.until.Sub(w.from) }

// over tells the story again, with the gaps that count now.
func (w *modelWait) over() bool {
	counted := time.Duration(0)
	for _, part := range w.story {
		switch {
		case part.gap == nil:
			counted += part.ran
		case part.gap.counts:
			counted += part.gap.length
		case part.gap.step:
			counted = 0
		}
		if counted >= w.period() {
			return true
		}
	}
	return w.done
}

// commit is what a commit makes of what has happened since the one before, with the gaps that are open after it.
func (m *timeModel) commit(gaps []journal.Gap) (early bool) {
	uncounted := m.real - m.committed
	for _, w := range m.waits {
		if m.running {
			w.story = append(w.story, modelPart{ran: uncounted - m.asleep})
		}
	}
	if m.running {
		uncounted = m.asleep
	}
	m.committed, m.drift, m.asleep, m.running = m.real, 0, 0, true
	if len(gaps) == 0 && len(m.gaps) > 0 {
		early = m.forget()
	}
	for _, g := range gaps {
		if m.gaps[g.Index] != nil {
			continue
		}
		gap := &modelGap{step: g.Step, length: g.Length, honest: g.Length <= uncounted}
		m.gaps[g.Index] = gap
		for _, w := range m.waits {
			w.story = append(w.story, modelPart{gap: gap})
		}
	}
	return early
}

// forget is what becomes of the open gaps when nothing waits that they concern.
func (m *timeModel) forget() (early bool) {
	for _, w := range m.waits {
		for _, part := range w.story {
			if part.gap != nil && m.concerned(part.gap) {
				early = early || !w.over()
				w.done = true
			}
		}
	}
	clear(m.gaps)
	return early
}

func (m *timeModel) concerned(gap *modelGap) bool {
	for _, open := range m.gaps {
		if open == gap {
			return true
		}
	}
	return false
}

// TestNoWaitEndsEarly: whatever the clock does, forward, back, in small steps, during stops, and however often the
// process is started again, a waiting period ends when the model says so, and never before so much time has really
// passed; and it does end.
func TestNoWaitEndsEarly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		k := newKit(t)
		j := k.open(t)
		m := &timeModel{gaps: map[uint64]*modelGap{}}
		var last time.Time
		look := func() {
			commit(t, j, looked.New(docID(1), noteData{}))
			status := timeOf(t, j)
			steps := m.running && m.drift+m.asleep > time.Minute
			known := len(m.gaps)
			if m.commit(status.Gaps) {
				rt.Fatal("the gaps are forgotten while something waits")
			}
			if steps && len(status.Waits) > 0 && len(m.gaps) == known {
				rt.Fatal("a step is not on record")
			}
			if status.Settled.Before(last) {
				rt.Fatalf("settled time went back from %v to %v", last, status.Settled)
			}
			last = status.Settled
			var ends []time.Time
			err := j.View(t.Context(), func(r journal.Reader) error {
				for _, w := range m.waits {
					end, err := journal.WaitEnds(r, w.from, w.until)
					if err != nil {
						return err
					}
					ends = append(ends, end)
				}
				return nil
			})
			if err != nil {
				rt.Fatal(err)
			}
			for i, w := range m.waits {
				ended := !status.Settled.Before(ends[i])
				if ended != w.over() {
					rt.Fatalf("wait %d of %v has ended: %t, and by the model: %t", i, w.period(), ended, w.over())
				}
				if ended && m.real-w.begun < w.period() {
					rt.Fatalf("wait %d of %v has ended after %v", i, w.period(), m.real-w.begun)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass": func(rt *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 30*3600).Draw(rt, "seconds")) * time.Second
				k.clock.Advance(d)
				m.real += d
			},
			"sleep": func(rt *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 30*3600).Draw(rt, "seconds")) * time.Second
				k.clock.Step(d)
				m.real += d
				m.asleep += d
			},
			"step": func(rt *rapid.T) {
				d := rapid.SampledFrom([]time.Duration{
					365 * 24 * time.Hour, -365 * 24 * time.Hour, 59 * time.Second, 59 * time.Second, -50 * time.Second,
					20 * time.Hour, -3 * time.Hour,
				}).Draw(rt, "by")
				k.clock.Step(d)
				m.drift += d
				m.drifts = min(m.drifts, d)
			},
			"creep": func(rt *rapid.T) { // steps that are each too small to go on record
				for range rapid.IntRange(1, 20).Draw(rt, "times") {
					look()
					k.clock.Step(59 * time.Second)
					m.drift += 59 * time.Second
				}
			},
			"stop": func(rt *rapid.T) {
				k.close(t, j)
				if d := time.Duration(rapid.IntRange(0, 90).Draw(rt, "hours")) * time.Hour; d > 0 {
					k.clock.Advance(d)
					m.real += d
				}
				if d := rapid.SampledFrom([]time.Duration{0, 0, 0, 365 * 24 * time.Hour, -9 * time.Hour}).
					Draw(rt, "drift"); d != 0 {
					k.clock.Step(d)
					m.drifts = min(m.drifts, d)
				}
				m.running, m.drift, m.asleep = false, 0, 0
				j = k.open(t)
				look()
			},
			"wait": func(rt *rapid.T) {
				if len(m.waits) == 4 {
					rt.Skip("enough waits")
				}
				look()
				w := &modelWait{begun: m.real}
				w.from, w.until = wait(t, j, time.Duration(rapid.IntRange(1, 200).Draw(rt, "hours"))*time.Hour,
					time.Duration(rapid.IntRange(0, 50).Draw(rt, "lapse"))*time.Hour)
				m.waits = append(m.waits, w)
			},
			"acknowledge": func(rt *rapid.T) {
				look()
				for _, g := range timeOf(t, j).Gaps {
					if !m.gaps[g.Index].honest {
						continue
					}
					want := error(nil)
					if m.drifts < 0 {
						want = journal.ErrNotPassed // perhaps
					}
					err := acknowledge(t.Context(), j, bob, g.Index, g.Length)
					if err != nil && !errors.Is(err, want) {
						rt.Fatalf("acknowledging %+v: %v", g, err)
					}
					if err == nil {
						m.gaps[g.Index].counts = true
						delete(m.gaps, g.Index)
					}
				}
				look()
			},
			"tick": func(rt *rapid.T) {
				look()
				if err := j.KeepTime(t.Context()); err != nil {
					rt.Fatal(err)
				}
			},
			"look": func(*rapid.T) { look() },
		})
		look()
		k.clock.Advance(1000 * time.Hour) // nothing waits for ever
		m.real += 1000 * time.Hour
		look()
		for i, w := range m.waits {
			if !w.over() {
				rt.Fatalf("wait %d does not end", i)
			}
		}
		k.close(t, j)
		if found := k.fsck(t); len(found) > 0 {
			rt.Fatalf("fsck: %v", first(found))
		}
	})
}

// TestDatabaseMovesNoTime: who writes to the database, while no process runs or while one does, does not make settled
// time follow a clock that was put forward: tables are not believed, and the head row is authentic or refused.
func TestDatabaseMovesNoTime(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	k := newKit(t)
	j := k.open(t)
	from, until := wait(t, j, 72*time.Hour, 0)
	waits := journal.Table{Kind: journal.Projection, Name: "journal.waits"}
	empty := func() {
		t.Helper()
		err := k.backend.Update(ctx, func(tx journal.Txn) error {
			var keys [][]byte
			err := tx.Scan(waits, journal.Range{}, func(key, _ []byte) error {
				keys = append(keys, bytes.Clone(key))
				return nil
			})
			for _, key := range keys {
				err = errors.Join(err, tx.Delete(waits, key))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	empty()
	k.clock.Step(100 * time.Hour)
	if over(t, j, from, until) {
		t.Error("without its row the waiting period ends with the clock")
	}
	k.close(t, j)
	empty()
	k.clock.Advance(100 * time.Hour)
	j = k.open(t)
	if over(t, j, from, until) {
		t.Error("without its row the waiting period ends over a stop")
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) == 0 {
		t.Error("fsck does not miss the row")
	}
	err := k.backend.Update(ctx, func(tx journal.Txn) error {
		head := journal.Table{Kind: journal.Log, Name: "head"}
		row, err := tx.Get(head, []byte("head"))
		if err != nil {
			return err
		}
		changed := bytes.Replace(row, []byte(`"waits":"2026`), []byte(`"waits":"2025`), 1)
		if bytes.Equal(changed, row) {
			return errors.New("the head does not say until when something waits")
		}
		return tx.Put(head, []byte("head"), changed)
	})
	if err != nil {
		t.Fatal(err)
	}
	if j, err := journal.Open(ctx, k.config(t)); err == nil {
		k.close(t, j)
		t.Error("a head that says that nothing waits is believed")
	}
}

// TestRestoredTime: on a new machine, from what was released, what waits goes on from where it was, and the time in
// between is a gap.
func TestRestoredTime(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	from, until := wait(t, j, 72*time.Hour, 0)
	k.clock.Advance(48 * time.Hour)
	released(t, j, commit(t, j, looked.New(docID(1), noteData{})))
	k.close(t, j)
	k.backend = memory.New(memory.Config{})
	k.clock.Advance(50 * time.Hour)
	j = k.open(t)
	if over(t, j, from, until) {
		t.Error("the time until the restore has ended the waiting period")
	}
	if s := timeOf(t, j); len(s.Gaps) != 1 || s.Gaps[0].Length < 50*time.Hour {
		t.Errorf("the time until the restore is no gap: %+v", s)
	}
	k.clock.Advance(24*time.Hour - time.Second)
	if over(t, j, from, until) {
		t.Error("the waiting period has ended early")
	}
	k.clock.Advance(time.Second)
	if !over(t, j, from, until) {
		t.Error("the waiting period does not end")
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", first(found))
	}
}
