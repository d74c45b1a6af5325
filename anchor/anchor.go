// Package anchor makes the journal's history provable to strangers: its publisher puts released checkpoints on ledgers
// that others can read and we cannot rewrite.
//
// One anchor covers every entry before it, so the rate is set by time and never by requests, and a journal in which
// only quiet events are new is not anchored again. Each anchor is prepared (signed, and persisted by an event before it
// is sent), submitted, included and final, or lost; every step is an event, so that after a crash any gateway goes on
// where the last one stopped. Deposits never wait for a ledger: one that is down delays proofs, loses nothing, and
// raises an alarm.
package anchor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"muniment/anchor/journal"
	"muniment/anchor/ledger"
)

// Config is what a publisher needs. Every field is required unless it says otherwise.
type Config struct {
	Journal *journal.Journal
	Ledgers []ledger.Ledger
	// Interval is the least time between two anchors on one ledger; Now does not wait for it.
	Interval time.Duration
	// Asked is the least time between two anchors on one ledger that Now asks for: on some ledgers an anchor costs
	// money, and callers are many. Optional: none.
	Asked time.Duration
	// Poll is how often the ledger is asked about anchors that are not final, and where retries begin. Optional: a
	// quarter of Interval, but between a second and fifteen.
	Poll time.Duration
	// AlarmAfter is for how long a ledger may fail before that is an alarm. Optional: an hour.
	AlarmAfter time.Duration
	Clock      journal.Clock
	Rand       io.Reader // for the jitter of retries
	Log        *slog.Logger
	// Ask lets in those who may ask for an anchor, and Show those who may see the anchors.
	Ask, Show Door
}

// Door lets the actors in who may do one act, and puts on record that it refuses the others.
type Door interface {
	// Act commits what decide returns, if the actor may do the act, which is asked in the same transaction; else it
	// returns the refusal. decide is as for Journal.Commit.
	Act(ctx context.Context, actor journal.Actor,
		decide func(journal.View) (journal.Change, error)) (journal.Receipt, error)
	// Permit returns nil if the actor may do the act, else the refusal.
	Permit(ctx context.Context, actor journal.Actor) error
}

// Publisher anchors a journal. Its methods may be called concurrently; several publishers, in several processes, may
// anchor one journal.
type Publisher struct {
	cfg     Config
	workers []*worker
}

// New makes a publisher; Run starts it.
func New(cfg Config) (*Publisher, error) {
	if cfg.Journal == nil || cfg.Clock == nil || cfg.Rand == nil || cfg.Log == nil || cfg.Interval <= 0 ||
		cfg.Ask == nil || cfg.Show == nil {
		return nil, errors.New("making a publisher: journal, interval, clock, randomness, log and doors must be given")
	}
	if cfg.Poll <= 0 {
		cfg.Poll = min(max(cfg.Interval/4, time.Second), 15*time.Second)
	}
	if cfg.AlarmAfter <= 0 {
		cfg.AlarmAfter = time.Hour
	}
	p := &Publisher{cfg: cfg}
	shared := &heads{cfg: &p.cfg}
	known := map[string]bool{}
	for _, l := range cfg.Ledgers {
		name := string(ledgerKey(l.Kind(), l.ID()))
		if known[name] {
			return nil, fmt.Errorf("making a publisher: the ledger %s %s is given twice", l.Kind(), l.ID())
		}
		known[name] = true
		p.workers = append(p.workers, newWorker(&p.cfg, shared, l))
	}
	return p, nil
}

// Run anchors until ctx ends, which is no error, or until the journal is closed or has stopped. A ledger that fails
// never ends it, nor holds up the other ledgers.
func (p *Publisher) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range p.workers {
		g.Go(func() error { return w.run(ctx) })
	}
	g.Go(func() error {
		<-ctx.Done()
		return nil
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("anchoring: %w", err)
	}
	return nil
}
