package anchor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/ledger"
)

const (
	// maxOpen bounds how many anchors of one ledger are neither final nor lost. Only the newest head matters, so a
	// ledger whose finality takes longer than that many intervals is anchored to less often.
	maxOpen = 64
	// inclusionIntervals is for how many intervals an anchor may wait for inclusion before one of a newer head is
	// prepared beside it; the ledger may then let the newer one replace the first.
	inclusionIntervals = 4
	// idle says that there is nothing to do before there is news.
	idle time.Duration = -1
)

// errPrepared says that another gateway has prepared the same anchor meanwhile.
var errPrepared = errors.New("another publisher was faster")

// worker anchors to one ledger.
type worker struct {
	cfg    *Config
	heads  *heads // shared with the other workers
	ledger ledger.Ledger
	turns  chan struct{} // a lock: it holds a token while no turn is being taken
	wake   chan struct{} // ends the sleep of run

	// The fields below are used by the goroutine that holds the token of turns.
	checked bool   // the ledger's head agreed with the journal, and nothing failed since
	target  uint64 // a release must reach this size before the news are anchored; 0: none are awaited
	retry   retry

	asked  asked
	status statusOfTurns
}

func newWorker(cfg *Config, h *heads, l ledger.Ledger) *worker {
	w := &worker{cfg: cfg, heads: h, ledger: l, turns: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	w.turns <- struct{}{}
	return w
}

// run takes turns until ctx ends. Only the journal's end is an error.
func (w *worker) run(ctx context.Context) error {
	for {
		wait, err := w.turn(ctx, false)
		if errors.Is(err, journal.ErrClosed) || errors.Is(err, journal.ErrStopped) {
			return err
		}
		if err := w.sleep(ctx, wait); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// sleep waits until there may be something to do.
func (w *worker) sleep(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if wait == idle {
		news := make(chan error, 1)
		go func() { news <- w.cfg.Journal.News(ctx, w.report().Newest) }()
		select {
		case err := <-news:
			return err
		case <-w.wake:
			return nil
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.wake:
	case <-w.cfg.Journal.Stopped():
		return w.cfg.Journal.Err()
	case <-ctx.Done():
	}
	return ctx.Err()
}

// turn does all that can be done now, and returns how long to wait before the next turn. An urgent turn does not wait
// for the interval. The error is a failure of the ledger; the next turn tries again.
func (w *worker) turn(ctx context.Context, urgent bool) (time.Duration, error) {
	select {
	case <-w.turns:
	case <-ctx.Done():
		return w.cfg.Poll, fmt.Errorf("waiting for the ledger's turn: %w", ctx.Err())
	}
	defer func() { w.turns <- struct{}{} }()
	wait, err := w.proceed(ctx, urgent)
	if ctx.Err() != nil {
		return w.cfg.Poll, err // not the ledger's failure
	}
	if err != nil {
		w.checked = false
		wait = w.failed(err)
	} else {
		w.succeeded()
	}
	w.observe(ctx)
	return wait, err
}

// proceed moves the open anchors on, and prepares another if there is news.
func (w *worker) proceed(ctx context.Context, urgent bool) (time.Duration, error) {
	before, err := w.load(ctx)
	if err != nil {
		return 0, err
	}
	if !w.checked {
		if err := w.check(ctx, before); err != nil {
			return 0, err
		}
		w.checked = true
	}
	var stuck []error
	for _, a := range before.open {
		err := w.advance(ctx, a)
		if errors.Is(err, ledger.ErrUnavailable) {
			return 0, err
		}
		stuck = append(stuck, err) // one anchor that cannot be moved must not hold up the newest head
	}
	wait, err := w.anchor(ctx, urgent)
	return wait, errors.Join(append(stuck, err)...)
}

// anchor prepares and submits an anchor of the newest released head if one is due.
func (w *worker) anchor(ctx context.Context, urgent bool) (time.Duration, error) {
	s, err := w.load(ctx)
	if err != nil {
		return 0, err
	}
	wait, due := w.due(s, urgent)
	if !due {
		return wait, nil
	}
	if urgent {
		// The time is noted before the head is chosen, so that the anchor covers the requests of all callers who do not
		// wait yet.
		w.asked.note(w.cfg.Clock.Now())
	}
	a, err := w.prepare(ctx, s, urgent)
	if errors.Is(err, errPrepared) {
		return w.cfg.Poll, nil
	}
	if err != nil {
		return 0, err
	}
	w.target = 0
	if err := w.advance(ctx, a); err != nil {
		return 0, err
	}
	if s, err = w.load(ctx); err != nil {
		return 0, err
	}
	wait, _ = w.due(s, false)
	return wait, nil
}

// due says whether to prepare an anchor now, and if not, how long to wait.
func (w *worker) due(s situation, urgent bool) (time.Duration, bool) {
	wait := idle
	if len(s.open) > 0 {
		wait = w.cfg.Poll
	}
	news := w.cfg.Journal.LastNews()
	if news <= s.live {
		w.target = 0
		return wait, false
	}
	if len(s.open) >= maxOpen {
		return wait, false
	}
	// The target is fixed when news are first seen: under load there are always news that are not released yet.
	if w.target <= s.live {
		w.target = news
	}
	// An urgent turn's request is released already, so it need not wait for news that came since.
	if size := w.cfg.Journal.Checkpoint().Size; size < w.target && (!urgent || size <= s.live) {
		return min(w.cfg.Poll, time.Second), false
	}
	// If another caller anchored while this one waited, its anchor covers this one's request, and no other is due.
	if left, _ := w.asked.remaining(w.cfg.Clock.Now(), w.cfg.Asked); urgent && left == 0 {
		return 0, true
	}
	interval := w.cfg.Interval
	if s.waiting {
		interval *= inclusionIntervals
	}
	passed := w.cfg.Clock.Now().Sub(s.last)
	if s.last.IsZero() || passed >= interval || passed < 0 { // a clock that was set back must not stop the anchors
		return 0, true
	}
	if left := interval - passed; wait == idle || left < wait {
		wait = left
	}
	return wait, false
}

// situation is what the journal has on record about one ledger.
type situation struct {
	origin  string
	open    []Anchor  // neither final nor lost, oldest first
	live    uint64    // the largest size of this origin that is not lost
	final   uint64    // the largest size of this origin that is final
	last    time.Time // when the newest anchor that is not lost was prepared
	waiting bool      // an anchor is not included yet
}

func (w *worker) load(ctx context.Context) (situation, error) {
	s := situation{origin: w.cfg.Journal.Checkpoint().Origin}
	err := w.cfg.Journal.View(ctx, func(r journal.Reader) error {
		s = situation{origin: s.origin}
		err := anchors().ScanBy(r, byOpen, journal.Prefix(ledgerKey(w.ledger.Kind(), w.ledger.ID())),
			func(_, _ []byte, a Anchor) error {
				s.open = append(s.open, a)
				s.waiting = s.waiting || a.State == Prepared || a.State == Submitted
				return nil
			})
		if err != nil {
			return err
		}
		newest := journal.Prefix(ledgerKey(w.ledger.Kind(), w.ledger.ID(), s.origin))
		newest.Reverse = true
		return anchors().ScanBy(r, byLive, newest, func(_, _ []byte, a Anchor) error {
			if s.live == 0 {
				s.live, s.last = a.Size(), a.Prepared
			}
			if a.State != Final {
				return nil
			}
			s.final = a.Size()
			return journal.Stop
		})
	})
	if err != nil {
		return s, fmt.Errorf("reading the anchors: %w", err)
	}
	return s, nil
}
