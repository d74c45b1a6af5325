package anchor_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/ledger"
	"muniment/anchor/ledger/ledgertest"
	"muniment/anchor/ledger/local"
)

func wantStates(t *testing.T, k *kit, want ...anchor.State) {
	t.Helper()
	if diff := cmp.Diff(want, k.states()); diff != "" {
		t.Errorf("the anchors' states, oldest first (-want +got):\n%s", diff)
	}
}

func TestAnchorGoesThroughItsStates(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	f := k.fake("one")
	p := k.publisher(f)
	size := k.commit(newsEvent)
	if wait := k.turn(p); wait != poll {
		t.Errorf("after submitting, the turn wants to wait %v, want %v", wait, poll)
	}
	wantStates(t, k, anchor.Submitted)
	if got := k.covering(size - 1); len(got) != 0 {
		t.Errorf("%d anchors cover the entry before the ledger included any", len(got))
	}
	f.Include()
	k.turn(p)
	wantStates(t, k, anchor.Included)
	if got := k.covering(size - 1); len(got) != 1 || got[0].State != anchor.Included || got[0].Proof != nil {
		t.Errorf("included anchors that cover the entry: %+v", got)
	}
	f.Finalize()
	if wait := k.turn(p); wait != anchor.Idle {
		t.Errorf("when all is final the turn wants to wait %v, want news", wait)
	}
	wantStates(t, k, anchor.Final)
	got := k.covering(size - 1)
	if len(got) != 1 || got[0].Size() != size || got[0].Kind != "fake" || got[0].ID != "one" {
		t.Fatalf("final anchors that cover the entry: %+v", got)
	}
	if err := f.Env().Verify(got[0].Attempt.Checkpoint, got[0].Proof); err != nil {
		t.Errorf("the proof on record: %v", err)
	}
	if string(got[0].Attempt.Checkpoint.Note) == "" {
		t.Error("the anchor has no signed checkpoint")
	}
}

func TestQuietEventsCauseNoAnchor(t *testing.T) {
	t.Parallel()
	k, clock := newStill(t)
	f := k.fake("one")
	p := k.publisher(f)
	k.commit(newsEvent)
	k.turn(p)
	f.Include()
	f.Finalize()
	k.turn(p)
	for range 3 {
		k.commit(quietEvent)
		clock.Advance(interval)
		if wait := k.turn(p); wait != anchor.Idle {
			t.Errorf("the turn wants to wait %v, want news", wait)
		}
	}
	if _, err := p.Now(k.ctx, journal.Actor{Tenant: "default", ID: "auditor"}); err != nil {
		t.Error(err)
	}
	if f.Prepared() != 1 {
		t.Errorf("%d anchors were prepared, want 1", f.Prepared())
	}
}

func TestIntervalPacesAnchors(t *testing.T) {
	t.Parallel()
	k, clock := newStill(t)
	f := k.fake("one")
	p := k.publisher(f)
	for range 3 {
		k.commit(newsEvent)
		k.turn(p)
		f.Include()
		f.Finalize()
	}
	k.turn(p)
	if f.Prepared() != 1 {
		t.Errorf("%d anchors were prepared within one interval, want 1", f.Prepared())
	}
	if wait := k.turn(p); wait != interval {
		t.Errorf("the turn wants to wait %v, want %v", wait, interval)
	}
	clock.Advance(interval)
	k.turn(p)
	if f.Prepared() != 2 {
		t.Errorf("%d anchors were prepared after the interval, want 2", f.Prepared())
	}
	clock.Advance(-24 * time.Hour)
	k.commit(newsEvent)
	f.Include()
	f.Finalize()
	k.turn(p)
	if f.Prepared() != 3 {
		t.Errorf("%d anchors were prepared after the clock was set back, want 3", f.Prepared())
	}
	k.commit(newsEvent) // the journal's time stands still by now
	f.Include()
	f.Finalize()
	clock.Advance(interval / 2)
	k.turn(p)
	if status := p.Status()[0]; f.Prepared() != 3 || status.Lag != interval/2 {
		t.Errorf("half an interval later %d anchors were prepared, want 3, and the lag is %v", f.Prepared(), status.Lag)
	}
}

func TestReorganizations(t *testing.T) {
	t.Parallel()
	k, clock := newStill(t)
	f := k.fake("one")
	p := k.publisher(f)
	size := k.commit(newsEvent)
	k.turn(p)
	f.Include()
	k.turn(p)
	f.Reorg(true)
	k.turn(p)
	wantStates(t, k, anchor.Submitted)
	f.Include()
	k.turn(p)
	wantStates(t, k, anchor.Included)
	f.Reorg(false)
	clock.Advance(interval)
	k.turn(p) // sees the loss, and prepares anew
	wantStates(t, k, anchor.Lost, anchor.Submitted)
	f.Include()
	f.Finalize()
	k.turn(p)
	wantStates(t, k, anchor.Lost, anchor.Final)
	if got := k.covering(size - 1); len(got) != 1 || got[0].State != anchor.Final {
		t.Errorf("anchors that cover the entry: %+v", got)
	}
}

func TestSubmitFails(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"before it took effect": false, "after it took effect": true} {
		t.Run(name, func(t *testing.T) {
			k, _ := newStill(t)
			f := k.fake("one")
			p := k.publisher(f)
			k.commit(newsEvent)
			f.Break(late)
			if _, err := p.Turn(k.ctx); !errors.Is(err, ledger.ErrUnavailable) {
				t.Fatalf("the turn gave %v, want ErrUnavailable", err)
			}
			wantStates(t, k, anchor.Prepared)
			// The process crashes here: another one goes on from what is on record.
			p = k.publisher(f.Handle())
			k.turn(p)
			wantStates(t, k, anchor.Submitted)
			f.Include()
			f.Finalize()
			k.turn(p)
			wantStates(t, k, anchor.Final)
			if f.Prepared() != 1 {
				t.Errorf("%d anchors were prepared, want 1", f.Prepared())
			}
		})
	}
}

func TestForgottenAnchorIsSentAgain(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	f := k.fake("one")
	p := k.publisher(f)
	k.commit(newsEvent)
	k.turn(p)
	f.Forget()
	k.turn(p)
	f.Include()
	k.turn(p)
	wantStates(t, k, anchor.Included)
}

func TestLedgerDownForDays(t *testing.T) {
	t.Parallel()
	k, clock := newStill(t)
	f, other := k.fake("one"), k.fake("two")
	p := k.publisher(f, other)
	k.commit(newsEvent)
	f.Break(false)
	if _, err := p.Turn(k.ctx); err == nil {
		t.Fatal("the submission did not fail")
	}
	f.Down(true)
	var head uint64
	longest := time.Duration(0)
	for range 3 * 24 {
		head = k.commit(newsEvent)
		clock.Advance(time.Hour)
		wait, err := p.Turn(k.ctx)
		if !errors.Is(err, ledger.ErrUnavailable) {
			t.Fatalf("the turn gave %v, want ErrUnavailable", err)
		}
		longest = max(longest, wait)
	}
	if longest > 5*time.Minute || longest < 2*time.Minute {
		t.Errorf("the longest pause was %v, want up to 5 minutes", longest)
	}
	status := p.Status()[0]
	if !status.Alarm || status.Failure == "" || status.Behind < 72 || status.Lag < 71*time.Hour || status.Open != 1 {
		t.Errorf("after three days the status is %+v", status)
	}
	f.Down(false)
	k.turn(p)
	f.Include()
	f.Finalize()
	k.turn(p)
	f.Include()
	f.Finalize()
	k.turn(p)
	if got := f.Finals(); len(got) != 2 || got[1].Size < head {
		t.Errorf("after three days of news %d anchors became final, the last at %d; want 2 and at least %d", len(got),
			got[len(got)-1].Size, head)
	}
	if status := p.Status()[0]; status.Alarm || status.Failure != "" || status.Behind != 0 || status.Lag != 0 {
		t.Errorf("after it came back the status is %+v", status)
	}
}

func TestPendingAnchorIsNotPiledUpon(t *testing.T) {
	t.Parallel()
	k, clock := newStill(t)
	f := ledgertest.NewFake(t, "fake", "one") // many anchors: looking each up at each step would take long
	p := k.publisher(f)
	for range anchor.MaxOpen + 8 {
		k.commit(newsEvent)
		k.turn(p)
		clock.Advance(10 * interval) // long enough to prepare another beside those that wait
	}
	if f.Prepared() != anchor.MaxOpen {
		t.Errorf("%d anchors wait for inclusion, want %d", f.Prepared(), anchor.MaxOpen)
	}
}

func TestTwoPublishersPrepareOnce(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	f := k.fake("one")
	one, two := k.publisher(f), k.publisher(f.Handle())
	k.commit(newsEvent)
	k.turn(one)
	k.turn(two)
	f.Include()
	k.turn(two)
	f.Finalize()
	k.turn(one)
	k.turn(two)
	wantStates(t, k, anchor.Final)
}

// overtaken is a ledger on which somebody else is faster: meanwhile runs while an attempt is being prepared.
type overtaken struct {
	*ledgertest.Fake
	meanwhile func()
}

func (o *overtaken) Prepare(ctx context.Context, c ledger.Checkpoint, open []ledger.Attempt) (ledger.Attempt, error) {
	if o.meanwhile != nil {
		o.meanwhile()
	}
	return o.Fake.Prepare(ctx, c, open)
}

func TestOtherPublisherIsFaster(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	f := k.fake("one")
	fast := k.publisher(f.Handle())
	slow := k.publisher(&overtaken{Fake: f, meanwhile: func() { k.turn(fast) }})
	k.commit(newsEvent)
	if wait := k.turn(slow); wait != poll {
		t.Errorf("the slower one wants to wait %v, want %v", wait, poll)
	}
	wantStates(t, k, anchor.Submitted)
	if f.Prepared() != 2 {
		t.Errorf("%d attempts were prepared, want one by each", f.Prepared())
	}
}

func TestNow(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	f := k.fake("one")
	l, err := local.Open(local.Config{Dir: t.TempDir(), ID: "local/test", Signer: journaltest.Signer(), Clock: k.clock})
	if err != nil {
		t.Fatal(err)
	}
	p := k.publisher(f, l)
	size := k.commit(newsEvent)
	for range 2 { // the second time there is nothing new, whatever the interval
		got, err := p.Now(k.ctx, journal.Actor{Tenant: "default", ID: "auditor"})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].State != anchor.Submitted || got[1].State != anchor.Final || got[0].Size() < size {
			t.Fatalf("anchoring at once gave %+v", got)
		}
	}
	records, err := k.journal.Records(k.ctx, "default", 0, 10)
	if err != nil || records[len(records)-1].Type != "anchor.requested/1" ||
		records[len(records)-1].Actor != "auditor" {
		t.Errorf("the request is not on record: %+v (%v)", records, err)
	}
	// At the size that both have, both are given once both are final.
	if got := k.covering(size - 1); len(got) != 1 || got[0].Kind != "local" {
		t.Errorf("while the fake is not final, the entry is covered by %+v", got)
	}
	f.Include()
	f.Finalize()
	k.turn(p)
	if got := k.covering(size - 1); len(got) != 2 {
		t.Errorf("the entry is covered by %d anchors, want 2", len(got))
	}
	k.commit(newsEvent)
	f.Down(true)
	got, err := p.Now(k.ctx, journal.Actor{Tenant: "default", ID: "auditor"})
	if !errors.Is(err, ledger.ErrUnavailable) || len(got) != 2 || got[1].Size() <= size {
		t.Errorf("with one ledger down it gave %d anchors and %v", len(got), err)
	}
}

// TestNowIsPaced lets twenty callers ask at once, with news between, for a simulated minute.
func TestNowIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pace = 10 * time.Second
		k := newKit(t.Context(), t, journal.SystemClock{})
		f := k.fake("one")
		p, err := anchor.New(anchor.Config{Journal: k.journal, Ledgers: []ledger.Ledger{f}, Interval: time.Hour,
			Asked: pace,
			Clock: k.clock, Rand: journaltest.Rand(2), Log: k.log,
			Ask: door{Journal: k.journal}, Show: door{Journal: k.journal}})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				for time.Since(begun) < time.Minute {
					size := k.commit(newsEvent)
					got, err := p.Now(k.ctx, journal.Actor{Tenant: "default", ID: "auditor"})
					if err != nil || len(got) != 1 || got[0].Size() < size {
						t.Errorf("anchoring at once gave %+v (%v), want an anchor that covers size %d", got, err, size)
						return
					}
				}
			})
		}
		callers.Wait()
		if took := time.Since(begun); took > time.Minute || f.Prepared() > 7 || f.Prepared() < 6 {
			t.Errorf("%d anchors were prepared in %v, want one in %v, which all who wait share",
				f.Prepared(), took, pace)
		}
		k.commit(newsEvent)
		ctx, cancel := context.WithTimeout(k.ctx, pace/2)
		defer cancel()
		if got, err := p.Now(ctx, journal.Actor{Tenant: "default", ID: "auditor"}); !errors.Is(err,
			context.DeadlineExceeded) {
			t.Errorf("a caller that does not wait got %+v (%v)", got, err)
		}
		if err := k.journal.Close(); err != nil {
			t.Error(err)
		}
	})
}

// busy is a ledger that calls before whenever its head is asked for.
type busy struct {
	ledger.Ledger
	before func()
}

func (b busy) Head(ctx context.Context, origin string) (ledger.Checkpoint, error) {
	b.before()
	return b.Ledger.Head(ctx, origin)
}

// TestNowDoesNotWaitForLaterNews commits more between the request's release and the ledger's turn, and releases nothing
// any more: the anchor covers what was there when it was asked for.
func TestNowDoesNotWaitForLaterNews(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	size := k.commit(newsEvent)
	later := func() {
		k.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
		_, err := k.journal.Commit(k.ctx, journal.Actor{Tenant: "default", ID: "tester"},
			func(journal.View) (journal.Change, error) {
				return journal.Change{Events: []journal.Event{newsEvent.New(journal.ID{}, struct{}{})}}, nil
			})
		if err != nil {
			t.Error(err)
		}
	}
	p := k.publisher(busy{k.fake("one"), later})
	got, err := p.Now(k.ctx, journal.Actor{Tenant: "default", ID: "auditor"})
	if err != nil || len(got) != 1 || got[0].Size() < size {
		t.Errorf("anchoring at once gave %+v (%v), want an anchor that covers size %d", got, err, size)
	}
}

// TestLedgersShareHeads lets two ledgers be anchored to at different moments, with other heads released in between.
func TestLedgersShareHeads(t *testing.T) {
	t.Parallel()
	k, clock := newStill(t)
	one, two := k.fake("one"), k.fake("two")
	p := k.publisher(one, two)
	for range 5 {
		k.commit(newsEvent)
		clock.Advance(interval)
		k.turn(p)
		one.Include()
		k.commit(newsEvent)
		clock.Advance(interval / 4)
		if _, err := p.TurnOf(k.ctx, 1); err != nil {
			t.Fatal(err)
		}
		two.Include()
		one.Finalize()
		two.Finalize()
	}
	if diff := cmp.Diff(one.Finals(), two.Finals()); diff != "" || len(one.Finals()) != 5 {
		t.Errorf("the ledgers hold other heads (-one +two):\n%s", diff)
	}
}

func TestNowIsRefused(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	denied := errors.New("denied")
	p, err := anchor.New(anchor.Config{Journal: k.journal, Interval: interval, Clock: k.clock,
		Rand: journaltest.Rand(1), Log: k.log,
		Ask: door{k.journal, denied}, Show: door{k.journal, denied}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Now(k.ctx, journal.Actor{Tenant: "default", ID: "intruder"}); !errors.Is(err, denied) {
		t.Errorf("anchoring at once gave %v, want the denial", err)
	}
	if _, err := p.Anchors(k.ctx, journal.Actor{Tenant: "default", ID: "intruder"}, anchor.Query{}); !errors.Is(err,
		denied) {
		t.Errorf("listing gave %v, want the denial", err)
	}
	records, err := k.journal.Records(k.ctx, "default", 0, 10)
	if err != nil || len(records) != 2 || records[0].Type != "test.quiet/1" || records[1].Type != "test.quiet/1" {
		t.Errorf("on record: %+v (%v), want the denials alone", records, err)
	}
}

func TestLedgerAheadOfJournal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size uint64
	}{"larger": {1000}, "another root": {1}} {
		t.Run(name, func(t *testing.T) {
			k, _ := newStill(t)
			f := ledgertest.NewFake(t, "fake", "one")
			a, err := f.Prepare(k.ctx, ledgertest.Checkpoint(k.journal.Origin(), c.size), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Submit(k.ctx, a); err != nil {
				t.Fatal(err)
			}
			f.Include()
			f.Finalize()
			p := k.publisher(f)
			k.commit(newsEvent)
			if _, err := p.Turn(k.ctx); !errors.Is(err, anchor.ErrContradicted) {
				t.Errorf("the turn gave %v, want ErrContradicted", err)
			}
			if !p.Status()[0].Alarm || f.Prepared() != 1 {
				t.Errorf("the status is %+v, and %d anchors were prepared", p.Status()[0], f.Prepared())
			}
		})
	}
}

func TestLedgerThatLostWhatWasFinal(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	f := k.fake("one")
	p := k.publisher(f)
	k.commit(newsEvent)
	k.turn(p)
	f.Include()
	f.Finalize()
	k.turn(p)
	empty := k.fake("one") // another chain under the same name
	p = k.publisher(empty)
	k.commit(newsEvent)
	if _, err := p.Turn(k.ctx); !errors.Is(err, anchor.ErrContradicted) {
		t.Errorf("the turn gave %v, want ErrContradicted", err)
	}
	if !p.Status()[0].Alarm || empty.Prepared() != 0 {
		t.Errorf("the status is %+v, and %d anchors were prepared", p.Status()[0], empty.Prepared())
	}
}

func TestLostLocalLedgerIsRebuilt(t *testing.T) {
	t.Parallel()
	k, clock := newStill(t)
	open := func(dir string) *local.Ledger {
		l, err := local.Open(local.Config{Dir: dir, ID: "local/test", Signer: journaltest.Signer(), Clock: k.clock})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	p := k.publisher(open(t.TempDir()))
	for range 70 { // more than one page
		k.commit(newsEvent)
		k.turn(p)
		clock.Advance(interval)
	}
	lost := open(t.TempDir())
	k.turn(k.publisher(lost))
	for _, a := range k.anchors() {
		if got, err := lost.Status(k.ctx, a.Attempt); got != ledger.Final || err != nil {
			t.Errorf("size %d is %q in the rebuilt ledger (%v)", a.Size(), got, err)
		}
	}
}

// TestRun lets the publisher run for a simulated hour.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := newKit(t.Context(), t, journal.SystemClock{})
		f, down := k.fake("one"), k.fake("two")
		down.Down(true)
		p := k.publisher(f, down)
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		var head uint64
		for range 180 {
			head = k.commit(newsEvent)
			time.Sleep(20 * time.Second)
			f.Finalize()
			f.Include()
		}
		if n := f.Prepared(); n < 50 || n > 61 {
			t.Errorf("in an hour of news %d anchors were prepared, want one a minute", n)
		}
		for range 20 {
			time.Sleep(interval)
			f.Finalize()
			f.Include()
		}
		if got := p.Status()[0]; got.Anchored < head || got.Open != 0 {
			t.Errorf("after the news ended the status is %+v, want all of %d anchored", got, head)
		}
		if got := p.Status()[1]; !got.Alarm {
			t.Errorf("the ledger that is down has the status %+v, want an alarm", got)
		}
		before := f.Prepared()
		time.Sleep(24 * time.Hour)
		if f.Prepared() != before {
			t.Error("an idle journal was anchored again")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
		if err := k.journal.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunEndsWithTheJournal(t *testing.T) {
	t.Parallel()
	k := newKit(t.Context(), t, journaltest.NewClock())
	p := k.publisher(k.fake("one"))
	ended := make(chan error)
	go func() { ended <- p.Run(t.Context()) }()
	if err := k.journal.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Run ended with %v, want ErrClosed", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	k, _ := newStill(t)
	f := k.fake("one")
	good := anchor.Config{Journal: k.journal, Interval: interval, Clock: k.clock, Rand: journaltest.Rand(1), Log: k.log,
		Ask: door{Journal: k.journal}, Show: door{Journal: k.journal}}
	for name, change := range map[string]func(*anchor.Config){
		"no journal":      func(c *anchor.Config) { c.Journal = nil },
		"no interval":     func(c *anchor.Config) { c.Interval = 0 },
		"no clock":        func(c *anchor.Config) { c.Clock = nil },
		"no randomness":   func(c *anchor.Config) { c.Rand = nil },
		"no log":          func(c *anchor.Config) { c.Log = nil },
		"no door to ask":  func(c *anchor.Config) { c.Ask = nil },
		"no door to show": func(c *anchor.Config) { c.Show = nil },
		"the same ledger": func(c *anchor.Config) { c.Ledgers = []ledger.Ledger{f, f.Handle()} },
	} {
		cfg := good
		change(&cfg)
		if _, err := anchor.New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
