// Package memory is a journal's backend in memory, for tests: it aborts transactions and runs them again at will, fails
// them in every way that the contract permits, and spoils what a caller keeps longer than it may.
//
// It proves that a decide function may run twice, which the bolt backend never does to one and PostgreSQL sometimes
// does.
package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"muniment/anchor/journal"
)

// Outcome is how a commit ends.
type Outcome int

// The ways in which a commit ends.
const (
	Done Outcome = iota // committed, and reported so
	Full                // not committed: ErrFull
	Lost                // not committed: ErrUnknown
	Kept                // committed: ErrUnknown
)

// Config says what goes wrong. The zero value is a backend in which nothing does. Its functions are called while the
// store is locked for writing, so they must not use it.
type Config struct {
	// Abort says whether to discard the run-th run of an Update's fn, counted from 1, whatever it returned, and to run
	// fn again. Other Updates may come in between. Nil aborts none.
	Abort func(run int) bool
	// Commit says how the n-th commit that comes so far ends, counted from 1 in this Store. Nil lets all succeed.
	Commit func(n int) Outcome
}

// Store is a handle on rows in memory. It implements [journal.Backend].
//
// The slices that it hands to a caller are copies that are overwritten when they stop to be valid: those of Get at the
// end of the transaction, those of Scan at the end of the callback.
type Store struct {
	config  Config
	data    *data
	closed  atomic.Bool
	commits int // counted under the writer's token
}

// data is what all handles share.
type data struct {
	writer  chan struct{} // holds one token while there is a writer
	current atomic.Pointer[tables]
	place   string
}

// stores counts the stores of this process.
var stores atomic.Int64

// tables holds a snapshot. A table is there only if it has rows.
type tables map[journal.Table]*node

var _ journal.Backend = (*Store)(nil)

// New is an empty store.
func New(c Config) *Store {
	d := &data{writer: make(chan struct{}, 1), place: fmt.Sprintf("memory %d", stores.Add(1))}
	d.current.Store(&tables{})
	return &Store{config: c, data: d}
}

// Reopen is a further handle on the same rows, as of a second process, or of the same one after its end. The store may
// be closed or not.
func (s *Store) Reopen(c Config) *Store { return &Store{config: c, data: s.data} }

// Place names the rows that this handle leads to: it is the same for all that Reopen has made, and another for a Clone.
func (s *Store) Place() string { return s.data.place }

// Clone is a store of its own with the rows that this one has now, as a copy of its file would be.
func (s *Store) Clone() *Store {
	clone := New(Config{})
	clone.data.current.Store(s.data.current.Load())
	return clone
}

// Close ends this handle only. Later calls return [journal.ErrClosed], wrapped.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return fmt.Errorf("using the memory backend: %w", journal.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("using the memory backend: %w", err)
	}
	return nil
}

// View runs fn on a snapshot.
func (s *Store) View(ctx context.Context, fn func(journal.Reader) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	r := &reader{ctx: ctx, tables: *s.data.current.Load()}
	defer r.spoil()
	return fn(r)
}

// Update runs fn until a run is not aborted, and commits it.
func (s *Store) Update(ctx context.Context, fn func(journal.Txn) error) error {
	for run := 1; ; run++ {
		again, err := s.update(ctx, fn, run)
		if !again {
			return err
		}
	}
}

func (s *Store) update(ctx context.Context, fn func(journal.Txn) error, run int) (again bool, err error) {
	select {
	case s.data.writer <- struct{}{}:
		defer func() { <-s.data.writer }()
	case <-ctx.Done():
	}
	if err := s.usable(ctx); err != nil {
		return false, err
	}
	x := &txn{reader: reader{ctx: ctx, tables: maps.Clone(*s.data.current.Load())}}
	defer x.spoil()
	err = fn(x)
	if s.config.Abort != nil && s.config.Abort(run) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, s.commit(x.tables)
}

func (s *Store) commit(t tables) error {
	s.commits++
	outcome := Done
	if s.config.Commit != nil {
		outcome = s.config.Commit(s.commits)
	}
	if outcome == Done || outcome == Kept {
		s.data.current.Store(&t)
	}
	switch outcome {
	case Done:
		return nil
	case Full:
		return fmt.Errorf("committing to the memory backend: %w", journal.ErrFull)
	default:
		return fmt.Errorf("committing to the memory backend: %w", journal.ErrUnknown)
	}
}

// Tables names every table in which there is a row.
func (s *Store) Tables(ctx context.Context) ([]journal.Table, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Keys(*s.data.current.Load()), func(a, b journal.Table) int {
		return strings.Compare(a.String(), b.String())
	}), nil
}

// reader reads a snapshot.
type reader struct {
	ctx    context.Context
	tables tables
	lent   [][]byte
	ended  bool
}

// usable refuses a use after the end of the transaction, which a real backend might answer with nonsense.
func (r *reader) usable() error {
	if r.ended {
		return errors.New("the transaction has ended: a reader is valid inside its callback only")
	}
	return nil
}

// lend is a copy for the caller, valid until spoil.
func (r *reader) lend(b []byte) []byte {
	if b == nil {
		return nil
	}
	c := bytes.Clone(b)
	r.lent = append(r.lent, c)
	return c
}

// spoil ends the transaction.
func (r *reader) spoil() {
	r.ended = true
	for _, b := range r.lent {
		spoil(b)
	}
}

func spoil(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}

// Get returns a row's value.
func (r *reader) Get(t journal.Table, key []byte) ([]byte, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	return r.lend(r.tables[t].get(key)), nil
}

// Scan calls fn for each row of the range, as it was when the scan began.
func (r *reader) Scan(t journal.Table, rg journal.Range, fn func(key, value []byte) error) error {
	if err := r.usable(); err != nil {
		return err
	}
	err := r.tables[t].scan(rg, func(n *node) error {
		if err := r.ctx.Err(); err != nil {
			return fmt.Errorf("scanning %s: %w", t, err)
		}
		key, value := bytes.Clone(n.key), bytes.Clone(n.value)
		defer spoil(key)
		defer spoil(value)
		return fn(key, value)
	})
	if errors.Is(err, journal.Stop) {
		return nil
	}
	return err
}

// txn writes to a snapshot of its own.
type txn struct{ reader }

// Put writes a row.
func (x *txn) Put(t journal.Table, key, value []byte) error {
	if err := x.usable(); err != nil {
		return err
	}
	if len(key) == 0 || len(value) == 0 {
		return fmt.Errorf("writing to %s: a row needs a key and a value", t)
	}
	x.tables[t] = x.tables[t].put(bytes.Clone(key), bytes.Clone(value))
	return nil
}

// Delete removes a row.
func (x *txn) Delete(t journal.Table, key []byte) error {
	if err := x.usable(); err != nil {
		return err
	}
	if n := x.tables[t].remove(key); n != nil {
		x.tables[t] = n
	} else {
		delete(x.tables, t)
	}
	return nil
}
