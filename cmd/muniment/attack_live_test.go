package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/memory"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
)

// liveAttacks are those of somebody who can write to the database while the server runs, as with a database server.
func liveAttacks() []attack {
	change := func(do func(*site, journal.Txn) error) func(*site, journal.Backend) {
		return func(s *site, b journal.Backend) {
			s.must(b.Update(s.t.Context(), func(tx journal.Txn) error { return do(s, tx) }))
		}
	}
	contradicted := map[observer]string{onRecord: "access.contradicted/1", inHealth: "rows are not what the events say"}
	damaged := map[observer]string{atRead: "What is stored is not what was recorded", onRecord: "object.damaged/1",
		inHealth: "on record as damaged", inProofs: "What is stored is not what was recorded"}
	all := []attack{{
		act: "adds a row for an API key of his own to a principal", outcome: "it opens nothing, at the next request",
		live: change((*site).addKey), noticed: contradicted,
	}, {
		act: "widens a principal's grants", outcome: "they grant nothing, at the next request",
		live: change((*site).widenGrants), noticed: contradicted,
	}, {
		act: "puts a revoked key's row back", outcome: "it opens nothing, at the next request",
		live: change((*site).restoreKey), noticed: contradicted,
	}, {
		act:     "sets the row back that names the newest event about principals and keys",
		outcome: "the authentic head counts, and the next commit writes the row again",
		live:    change((*site).setAuthBack),
		noticed: map[observer]string{inLog: "the row that names the newest event about principals and keys"},
	}, {
		act: "appends a body that gives a key of his the right to read, with tiles, tables and head row, as the " +
			"program itself would",
		outcome: "nothing of it is believed, shipped or signed",
		live:    (*site).appendLive,
		noticed: map[observer]string{atCommit: "What is stored is not what was recorded", inHealth: "damage was met"},
	}, {
		act: "puts an older copy of everything back", outcome: "the process ends, and the next start catches up",
		live:    (*site).putBackLive,
		noticed: map[observer]string{atCommit: "it was put back while it was open"},
	}, {
		act: "exchanges the sealed rows of two documents", outcome: "neither opens: each is bound to its document",
		live:    change(func(s *site, tx journal.Txn) error { return s.exchangeRows(sealedTable)(tx) }),
		noticed: damaged,
	}, {
		act: "exchanges the rows of two documents", outcome: "neither is served: content is bound to its document",
		live:    change(func(s *site, tx journal.Txn) error { return s.exchangeRows(documentTable)(tx) }),
		noticed: damaged,
	}, {
		act:     "says in a document's row that it is of another series",
		outcome: "it is not served: what is sealed says of which series the document is",
		live:    change((*site).refile), noticed: damaged,
	}, {
		act:     "adds a row for a trim of a tenant's key that was approved and has waited",
		outcome: "it is no trim: nothing is destroyed but what the events of a trim say, each of them proved",
		live:    change((*site).addTrim), noticed: contradicted,
	}}
	for i := range all {
		all[i].component = "database, while the server runs"
	}
	return all
}

// checkLive starts a server over a database in memory, lets the attacker at it, and asks the server for everything.
func (a attack) checkLive(t *testing.T, s *site) {
	t.Helper()
	var backend *memory.Store
	s.open = func(ctx context.Context, cfg config.Config, log *slog.Logger) (*node.Storage, error) {
		parts, err := node.OpenStorage(ctx, cfg, log)
		if err != nil {
			return nil, err
		}
		backend = memory.New(memory.Config{})
		s.copyRows(parts.Backend, backend, func(journal.Table) bool { return true })
		err = parts.Backend.Close()
		parts.Backend = backend
		return parts, err
	}
	log := &written{}
	n, err := s.start(log)
	s.must(err)
	if refused := s.checkServed(n); refused != "" {
		t.Fatalf("before anything was done: %s", refused)
	}
	a.live(s, backend.Reopen(memory.Config{}))
	a.says(t, atCommit, s.depositNow(n))
	if want, ok := a.noticed[inLog]; ok && !strings.Contains(log.String(), want) {
		t.Errorf("%s: %s, want %q", inLog, log, want)
	}
	if _, refused := a.noticed[atCommit]; refused {
		a.checkHealth(t, n)
		_ = n.Stop(10 * time.Second) // says the same again
		return
	}
	a.says(t, atRead, s.checkServed(n))
	a.says(t, inProofs, s.checkProofs(n))
	a.checkRecord(t, n)
	a.checkHealth(t, n)
	s.stop(n)
}

// written keeps what is logged while somebody reads it.
type written struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps p.
func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

// String is all that was kept.
func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// depositNow deposits, and returns why that is refused, by what has stopped the journal if it has; nothing when the
// deposit is acknowledged.
func (s *site) depositNow(n *node.Server) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	_, err := s.client(n, s.facts.founder).Send(ctx, remote.Deposit{Length: 4, Content: strings.NewReader("late")})
	if err == nil {
		return ""
	}
	return errors.Join(n.Node.Journal.Err(), err).Error()
}

// copyRows copies the rows of tables from one backend to another, whatever that has in them.
func (s *site) copyRows(from, to journal.Backend, which func(journal.Table) bool) {
	s.t.Helper()
	type row struct {
		table      journal.Table
		key, value []byte
	}
	var rows []row
	ctx := s.t.Context()
	for _, b := range []journal.Backend{to, from} {
		tables, err := b.Tables(ctx)
		s.must(err)
		s.must(b.View(ctx, func(r journal.Reader) error {
			for _, t := range tables {
				if !which(t) {
					continue
				}
				err := r.Scan(t, journal.Range{}, func(key, value []byte) error {
					one := row{table: t, key: bytes.Clone(key)}
					if b == from {
						one.value = bytes.Clone(value)
					}
					rows = append(rows, one)
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		}))
	}
	s.must(to.Update(ctx, func(tx journal.Txn) error {
		var errs []error
		for _, one := range rows {
			if one.value == nil {
				errs = append(errs, tx.Delete(one.table, one.key))
				continue
			}
			errs = append(errs, tx.Put(one.table, one.key, one.value))
		}
		return errors.Join(errs...)
	}))
}

// appendLive goes on with a copy of the database under the forger's key, and puts what came of it into the database.
func (s *site) appendLive(b journal.Backend) {
	s.t.Helper()
	forged := memory.New(memory.Config{})
	s.copyRows(b, forged, func(journal.Table) bool { return true })
	s.goOn(forged)
	s.copyRows(forged, b, func(t journal.Table) bool { return t.Kind != journal.Volatile })
}

// putBackLive puts every row back to what it was.
func (s *site) putBackLive(b journal.Backend) {
	s.t.Helper()
	c := *s
	c.take(s.facts.before)
	old := memory.New(memory.Config{})
	c.withDatabase(func(file journal.Backend) { s.copyRows(file, old, func(journal.Table) bool { return true }) })
	s.copyRows(old, b, func(journal.Table) bool { return true })
}
