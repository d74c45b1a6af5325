package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"muniment/anchor/journal"
)

const (
	// authorityActor is who puts on record what the authority has found.
	authorityActor = "access"
	// compareEvery is how often the tables are compared with the events.
	compareEvery = time.Hour
	// storeAfter is how many events may follow the stored state before it is stored again: a start reads so many.
	storeAfter = 256
)

// worker does what no request waits for.
type worker struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	grown  chan struct{} // holds an element when memory has taken in further events
}

func (w *worker) notify() {
	select {
	case w.grown <- struct{}{}:
	default:
	}
}

// Start reads the events that there are, from the stored state on if there is one, and begins to work: it compares the
// tables with the events now and each hour, puts on record what contradicts them, and stores the state. The caller
// closes the authority before the journal.
func (a *Authority) Start(ctx context.Context) error {
	if err := a.load(ctx); err != nil {
		return fmt.Errorf("reading who may do what: %w", err)
	}
	ctx, a.work.cancel = context.WithCancel(context.WithoutCancel(ctx))
	a.work.done.Go(func() { a.run(ctx) })
	return nil
}

// Close ends the work. It puts on record what was found and is not there yet, and stores the state.
func (a *Authority) Close(ctx context.Context) error {
	if a.work.cancel == nil {
		return nil
	}
	a.work.cancel()
	a.work.done.Wait()
	err := a.RecordContradictions(ctx)
	if a.unsaved() > 0 {
		err = errors.Join(err, a.Store(ctx))
	}
	return err
}

// load brings memory up to the newest event.
func (a *Authority) load(ctx context.Context) error {
	return a.journal.View(ctx, func(r journal.Reader) error {
		stored, err := a.loadStored(r)
		if err != nil {
			return err
		}
		if stored != nil {
			a.remember(stored)
		}
		err = a.in(r, func(*state, bool) error { return nil })
		if stored == nil || !errors.Is(err, journal.ErrDamaged) {
			return err
		}
		a.log.Warn(passedOver, "error", err) // the chain does not lead to it
		a.remember(newState())
		return a.in(r, func(*state, bool) error { return nil })
	})
}

// remember makes a state the one that is known.
func (a *Authority) remember(s *state) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known, a.beyond, a.over, a.stored = s, nil, nil, s.count
}

// unsaved is how many events have followed the stored state.
func (a *Authority) unsaved() uint64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.known.count - a.stored
}

// run works until ctx ends.
func (a *Authority) run(ctx context.Context) {
	hourly := time.NewTicker(compareEvery)
	defer hourly.Stop()
	a.try(ctx, a.Compare)
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.work.grown:
			if a.unsaved() >= storeAfter {
				a.try(ctx, a.Store)
			}
		case <-a.alarms.found:
			a.try(ctx, a.RecordContradictions)
		case <-hourly.C:
			a.try(ctx, a.Compare)
			a.try(ctx, a.RecordContradictions)
		}
	}
}

// try does a piece of work that is done again later if it fails.
func (a *Authority) try(ctx context.Context, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("the tables of principals and keys could not be looked after; it will be tried again", "error", err)
	}
}
