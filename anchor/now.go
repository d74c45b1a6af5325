package anchor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"muniment/anchor/journal"
)

// Now anchors at once, on record as asked by the actor, and returns the newest anchor of each ledger, in the order of
// Config.Ledgers. It waits until the head is released and each ledger has taken it; where all entries but quiet ones are
// covered already, that is the anchor there is. It works whether or not Run does.
//
// Errors: what Config.Permit returned; a wrapped ctx.Err when ctx ended first; and, together with the anchors that there are,
// what went wrong with each ledger that failed, which Run goes on trying.
func (p *Publisher) Now(ctx context.Context, who journal.Actor) ([]Anchor, error) {
	receipt, err := p.cfg.Journal.Commit(ctx, who, func(v journal.View) (journal.Change, error) {
		var change journal.Change
		if p.cfg.Permit != nil {
			events, err := p.cfg.Permit(v, who)
			change.Events = events
			if err != nil {
				return change, err
			}
		}
		change.Events = append(change.Events, eventRequested.New(journal.ID{}, requested{}))
		return change, nil
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
			if _, err := w.turn(ctx, true); err != nil {
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
