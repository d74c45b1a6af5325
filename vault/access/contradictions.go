package access

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"muniment/anchor/journal"
)

// lastTable is where the journal keeps the newest index of the chain.
var (
	lastTable = journal.Table{Kind: journal.Log, Name: "auth"}
	lastRow   = []byte("last")
)

// maxContradictions bounds what one process reports one by one: who can write one row can write a million.
const maxContradictions = 256

// alarms are the rows that were found to say something else than the events.
type alarms struct {
	mu      sync.Mutex
	seen    map[ContradictedData]bool
	waiting []ContradictedData // not on record yet
	found   chan struct{}      // holds an element while some wait
}

func newAlarms() alarms {
	return alarms{seen: map[ContradictedData]bool{}, found: make(chan struct{}, 1)}
}

// report notes a row, once for each process.
func (a *alarms) report(log *slog.Logger, t journal.Table, key []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := ContradictedData{Table: t.String(), Row: hex.EncodeToString(key)}
	if a.seen[c] || len(a.seen) == maxContradictions {
		return
	}
	a.seen[c] = true
	log.Error("a row is not what the events say: somebody has written to the database; it grants nothing",
		"table", c.Table, "row", c.Row)
	a.waiting = append(a.waiting, c)
	select {
	case a.found <- struct{}{}:
	default:
	}
}

// Contradict reports a row of whatever table that is not what the events say: to the log at once, and on record soon
// after, once for each process. It is for those who prove what a row says before they act on it.
func (a *Authority) Contradict(t journal.Table, key []byte) { a.alarms.report(a.log, t, key) }

// take takes out what waits to go on record.
func (a *alarms) take() []ContradictedData {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := a.waiting
	a.waiting = nil
	return waiting
}

// putBack returns what could not be put on record.
func (a *alarms) putBack(waiting []ContradictedData) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(waiting, a.waiting...)
}

// Contradicted is how many rows this process has found that are not what the events say, 256 at most.
func (a *Authority) Contradicted() int {
	a.alarms.mu.Lock()
	defer a.alarms.mu.Unlock()
	return len(a.alarms.seen)
}

// RecordContradictions puts on record which rows were found to say something else than the events.
func (a *Authority) RecordContradictions(ctx context.Context) error {
	waiting := a.alarms.take()
	if len(waiting) == 0 {
		return nil
	}
	var events []journal.Event
	for _, c := range waiting {
		events = append(events, Contradicted.New(journal.ID{}, c))
	}
	actor := journal.Actor{Tenant: journal.System, ID: authorityActor}
	_, err := a.journal.Commit(ctx, actor, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: events}, nil
	})
	if err != nil {
		a.alarms.putBack(waiting)
		return fmt.Errorf("recording rows that the events contradict: %w", err)
	}
	return nil
}

// compare reports a row that is not what the events say. It is asked where memory says no, and by Compare.
func (a *Authority) compare(r journal.Reader, t journal.Table, key []byte) {
	stored, err := r.Get(t, key)
	if err != nil {
		return // what cannot be read grants nothing
	}
	stored = bytes.Clone(stored)
	differs := false
	err = a.in(r, func(s *state, exact bool) error {
		want, err := s.row(t, key)
		differs = exact && !bytes.Equal(stored, want)
		return err
	})
	if err == nil && differs {
		a.alarms.report(a.log, t, key)
	}
}

// compareChunk is how many rows are compared in one snapshot.
const compareChunk = 1024

// Compare reads the tables whole and reports every row that is missing, is not explained by the events, or differs
// from them.
func (a *Authority) Compare(ctx context.Context) error {
	a.mu.RLock()
	begun, at := a.known.begun, a.known.at
	a.mu.RUnlock()
	err := a.journal.View(ctx, func(r journal.Reader) error {
		last, any, err := a.journal.LastAuth(r)
		if err != nil {
			return err
		}
		row, named, err := journal.LastAuth(r)
		if err != nil || row != last || named != any || begun && (!any || last < at) {
			a.alarms.report(a.log, lastTable, lastRow)
		}
		return nil
	})
	for _, t := range []journal.Table{principalTable, keyTable, tenancyTable} {
		err = errors.Join(err, a.compareStored(ctx, t), a.compareKnown(ctx, t))
	}
	if err != nil {
		return fmt.Errorf("comparing the tables of principals and keys with the events: %w", err)
	}
	return nil
}

// compareStored looks for rows that the events do not explain.
func (a *Authority) compareStored(ctx context.Context, t journal.Table) error {
	for from := []byte(nil); ; {
		keys, suspects := 0, [][]byte(nil)
		err := a.journal.View(ctx, func(r journal.Reader) error {
			return a.in(r, func(s *state, _ bool) error {
				return r.Scan(t, journal.Range{From: from}, func(key, stored []byte) error {
					if keys == compareChunk {
						from = bytes.Clone(key)
						return journal.Stop
					}
					keys++
					want, err := s.row(t, key)
					if !bytes.Equal(want, stored) {
						suspects = append(suspects, bytes.Clone(key))
					}
					return err
				})
			})
		})
		if err == nil {
			err = a.confirm(ctx, t, suspects)
		}
		if err != nil || keys < compareChunk {
			return err
		}
	}
}

// compareKnown looks for rows that the events explain and that are not there.
func (a *Authority) compareKnown(ctx context.Context, t journal.Table) error {
	a.mu.RLock()
	keys := a.known.rows(t)
	a.mu.RUnlock()
	for chunk := range slices.Chunk(keys, compareChunk) {
		var suspects [][]byte
		err := a.journal.View(ctx, func(r journal.Reader) error {
			for _, key := range chunk {
				stored, err := r.Get(t, key)
				if err != nil {
					return err
				}
				if stored == nil {
					suspects = append(suspects, key)
				}
			}
			return nil
		})
		if err == nil {
			err = a.confirm(ctx, t, suspects)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// confirm compares rows again, in a snapshot that memory may have been newer than before.
func (a *Authority) confirm(ctx context.Context, t journal.Table, suspects [][]byte) error {
	return a.journal.View(ctx, func(r journal.Reader) error {
		for _, key := range suspects {
			a.compare(r, t, key)
		}
		return nil
	})
}
