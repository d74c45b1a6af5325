package anchor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"muniment/anchor/journal"
)

// Now anchors at once, on record as asked by the actor, and returns the newest anchor of each ledger, in the order of
// Config.Ledgers. It waits until the head is released and each ledger has taken it; where all entries but quiet ones
// are covered already, that is the anchor there is. Within Config.Asked of the last anchor that Now prepared it waits
// first, and all callers that wait share the next anchor. It works whether or not Run does.
//
// Errors: that of Config.Ask; a wrapped ctx.Err when ctx ended first; and, together with the anchors that there are,
// the failure of each ledger that failed; Run goes on trying those.
func (p *Publisher) Now(ctx context.Context, who journal.Actor) ([]Anchor, error) {
	receipt, err := p.cfg.Ask.Act(ctx, who, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{eventRequested.New(journal.ID{}, requested{})}}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("asking for an anchor: %w", err)
	}
	if _, err := p.cfg.Journal.Released(ctx, receipt); err != nil {
		return nil, fmt.Errorf("asking for an anchor: %w", err)
	}
	failures := make([]error, len(p.workers))
	var turns sync.WaitGroup
	for i, w := range p.workers {
		turns.Go(func() {
			err := w.waitToAsk(ctx)
			if err == nil {
				_, err = w.turn(ctx, true)
			}
			if err != nil {
				failures[i] = fmt.Errorf("anchoring to %s %s: %w", w.ledger.Kind(), w.ledger.ID(), err)
			}
			select {
			case w.wake <- struct{}{}:
			default:
			}
		})
	}
	turns.Wait()
	newest, err := p.newest(ctx)
	return newest, errors.Join(append(failures, err)...)
}

// asked holds when an anchor was last prepared for a caller of Now.
type asked struct {
	mu   sync.Mutex
	last time.Time
}

func (a *asked) note(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = at
}

// remaining returns how long Now must wait until it may prepare another anchor, and when it prepared the last. A clock
// that was set back must not stop the anchors.
func (a *asked) remaining(now time.Time, interval time.Duration) (time.Duration, time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	passed := now.Sub(a.last)
	if a.last.IsZero() || passed < 0 {
		return 0, a.last
	}
	return max(0, interval-passed), a.last
}

// waitToAsk waits until Now may prepare an anchor, or until another caller has prepared one, which then serves all.
func (w *worker) waitToAsk(ctx context.Context) error {
	left, begun := w.asked.remaining(w.cfg.Clock.Now(), w.cfg.Asked)
	for last := begun; left > 0 && last.Equal(begun); left, last = w.asked.remaining(w.cfg.Clock.Now(), w.cfg.Asked) {
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-w.cfg.Journal.Stopped():
			timer.Stop()
			return w.cfg.Journal.Err()
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("waiting until an anchor may be asked for again: %w", ctx.Err())
		}
	}
	return nil
}

// Anchors lists anchors for the actor, in every state, newest first. Errors: that of Config.Show.
func (p *Publisher) Anchors(ctx context.Context, who journal.Actor, q Query) ([]Anchor, error) {
	if err := p.cfg.Show.Permit(ctx, who); err != nil {
		return nil, fmt.Errorf("listing the anchors: %w", err)
	}
	var list []Anchor
	err := p.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		list, err = listAnchors(r, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the anchors: %w", err)
	}
	return list, nil
}

// newest finds the anchor of the largest size on each ledger that has one.
func (p *Publisher) newest(ctx context.Context) (list []Anchor, err error) {
	origin := p.cfg.Journal.Checkpoint().Origin
	err = p.cfg.Journal.View(ctx, func(r journal.Reader) error {
		list = nil
		for _, w := range p.workers {
			rg := journal.Prefix(ledgerKey(w.ledger.Kind(), w.ledger.ID(), origin))
			rg.Reverse = true
			err := anchors().ScanBy(r, byLive, rg, func(_, _ []byte, a Anchor) error {
				list = append(list, a)
				return journal.Stop
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the anchors: %w", err)
	}
	return list, nil
}
