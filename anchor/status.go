package anchor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// LedgerStatus says how one ledger's anchors stand, for the health of the process and for dashboards.
type LedgerStatus struct {
	Kind, ID string
	Anchored uint64        // the largest size that is final
	Newest   uint64        // the largest size that is not lost
	Open     int           // anchors that are neither final nor lost
	Behind   uint64        // entries, up to the last that is not quiet, that no final anchor covers
	Lag      time.Duration // the age of the first of them
	Failing  time.Time     // since when the ledger fails; zero while it does not
	Failure  string        // the last failure
	// Alarm says that somebody should look: the ledger has failed for longer than Config.AlarmAfter, or contradicts the
	// journal.
	Alarm bool
}

// Status is the state of each ledger as of its last turn, in the order of Config.Ledgers.
func (p *Publisher) Status() []LedgerStatus {
	all := make([]LedgerStatus, len(p.workers))
	for i, w := range p.workers {
		all[i] = w.report()
	}
	return all
}

// observed is the state of the anchors that the last turn found on record.
type observed struct {
	live, final uint64
	open        int
	oldest      time.Time // of the first entry that no final anchor covers; zero when there is none
}

// statusOfTurns is written by turns and read by Status.
type statusOfTurns struct {
	mu       sync.Mutex
	observed observed
	failing  time.Time
	failure  string
	alarm    bool
}

// observe notes how the anchors stand after a turn.
func (w *worker) observe(ctx context.Context) {
	s, err := w.load(ctx)
	if err != nil {
		return // the turn has failed for the same reason, and said so
	}
	o := observed{live: s.live, final: s.final, open: len(s.open)}
	if w.cfg.Journal.LastNews() > s.final {
		if first, err := w.cfg.Journal.Record(ctx, s.final); err == nil {
			o.oldest = first.Wall
		}
	}
	w.status.mu.Lock()
	defer w.status.mu.Unlock()
	w.status.observed = o
}

func (w *worker) report() LedgerStatus {
	w.status.mu.Lock()
	defer w.status.mu.Unlock()
	o := w.status.observed
	s := LedgerStatus{
		Kind: w.ledger.Kind(), ID: w.ledger.ID(), Anchored: o.final, Newest: o.live, Open: o.open,
		Failing: w.status.failing, Failure: w.status.failure, Alarm: w.status.alarm,
	}
	if news := w.cfg.Journal.LastNews(); news > o.final {
		s.Behind = news - o.final
		if !o.oldest.IsZero() {
			s.Lag = max(0, w.cfg.Clock.Now().Sub(o.oldest))
		}
	}
	return s
}

// retry spaces out the turns of a ledger that fails.
type retry struct {
	failures int
	alarmed  time.Time // when the last alarm was raised
}

// maxRetry is the longest pause before a ledger that fails is tried again.
const maxRetry = 5 * time.Minute

// failed notes a failure, raises an alarm when it is time, and says when to try again: after twice as long as the last
// time, and at random within the second half of that, so that gateways do not come back all at once.
func (w *worker) failed(err error) time.Duration {
	now := w.cfg.Clock.Now()
	w.status.mu.Lock()
	if w.retry.failures == 0 {
		w.status.failing = now
	}
	w.status.failure = err.Error()
	failing := now.Sub(w.status.failing)
	w.status.alarm = failing >= w.cfg.AlarmAfter || errors.Is(err, ErrContradicted)
	alarm := w.status.alarm
	w.status.mu.Unlock()

	attrs := w.attrs("error", err, "failing", failing)
	switch {
	case alarm && (w.retry.alarmed.IsZero() || now.Sub(w.retry.alarmed) >= w.cfg.AlarmAfter):
		w.retry.alarmed = now
		w.cfg.Log.Error("a ledger cannot be anchored to", attrs...)
	case w.retry.failures == 0:
		w.cfg.Log.Warn("anchoring to a ledger has failed; it will be tried again", attrs...)
	default:
		w.cfg.Log.Debug("anchoring to a ledger still fails", attrs...)
	}
	pause := min(w.cfg.Poll<<min(w.retry.failures, 20), maxRetry)
	if pause <= 0 {
		pause = maxRetry
	}
	w.retry.failures++
	var random [8]byte
	if _, err := w.cfg.Rand.Read(random[:]); err != nil {
		return pause
	}
	return pause/2 + time.Duration(binary.BigEndian.Uint64(random[:])%uint64(pause/2+1))
}

// succeeded ends a row of failures.
func (w *worker) succeeded() {
	w.status.mu.Lock()
	defer w.status.mu.Unlock()
	if w.retry.failures > 0 {
		w.cfg.Log.Info("anchoring to a ledger works again", w.attrs("failures", w.retry.failures)...)
	}
	w.retry = retry{}
	w.status.failing, w.status.failure, w.status.alarm = time.Time{}, "", false
}

// attrs are the attributes of a log line about this ledger.
func (w *worker) attrs(more ...any) []any {
	return append([]any{"ledger", fmt.Sprintf("%s %s", w.ledger.Kind(), w.ledger.ID())}, more...)
}
