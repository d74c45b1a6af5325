package bolt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"muniment/anchor/journal"
)

// Update runs fn once, in a transaction that is on stable storage when it returns nil.
func (s *Store) Update(ctx context.Context, fn func(journal.Txn) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing %s: %w", s.path, err)
	}
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return fmt.Errorf("waiting to write %s: %w", s.path, ctx.Err())
	}
	if why := s.stopped.Load(); why != nil {
		return fmt.Errorf("writing %s: %w (%s)", s.path, journal.ErrStopped, *why)
	}
	defer panicOnFault()()
	tx, err := s.begin(true)
	if err != nil {
		return err
	}
	err = s.run(tx, func() error {
		x := &txn{reader: newReader(ctx, s, tx)}
		if err := fn(x); err != nil {
			return err
		}
		return x.damage
	}, false)
	if err != nil {
		return err
	}
	return s.commit(tx)
}

func (s *Store) begin(writable bool) (tx *bbolt.Tx, err error) {
	if s.stuck.Load() {
		return nil, fmt.Errorf("%w: %s", journal.ErrDamaged, s.path)
	}
	defer func() {
		if p := recover(); p != nil {
			s.stuck.Store(true)
			err = fmt.Errorf("beginning a transaction in %s: %w: %v", s.path, journal.ErrDamaged, p)
		}
	}()
	tx, err = s.db.Begin(writable)
	switch {
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return nil, fmt.Errorf("%w: %s", journal.ErrClosed, s.path)
	case err != nil:
		return nil, fmt.Errorf("beginning a transaction in %s: %w", s.path, err)
	}
	return tx, nil
}

// run calls fn, and ends the transaction unless it is one to commit: also when fn panics or ends its goroutine.
func (s *Store) run(tx *bbolt.Tx, fn func() error, readOnly bool) (err error) {
	returned := false
	defer func() {
		p := recover()
		if p != nil && s.isFault(p) {
			p, err = nil, fmt.Errorf("reading %s: %w: %v", s.path, journal.ErrDamaged, p)
		}
		if readOnly || !returned || err != nil {
			s.rollback(tx)
		}
		if p != nil {
			panic(p)
		}
	}()
	err = fn()
	returned = true
	return err
}

func (s *Store) rollback(tx *bbolt.Tx) {
	if err := guarded(tx.Rollback); errors.Is(err, journal.ErrDamaged) {
		s.stuck.Store(true)
		s.stop(err)
	}
}

func (s *Store) stop(why error) {
	text := why.Error()
	s.stopped.CompareAndSwap(nil, &text)
}

// commit makes the transaction durable. If that fails, the error says whether nothing was written (ErrFull) or the
// outcome is unknown.
func (s *Store) commit(tx *bbolt.Tx) error {
	id := tx.ID()
	err := guarded(tx.Commit)
	if err == nil {
		return nil
	}
	panicked := errors.Is(err, journal.ErrDamaged)
	if panicked {
		s.rollback(tx)
	}
	last, lastErr := s.lastCommitted()
	absent := lastErr == nil && last < id
	switch {
	case absent && isFull(err):
		return fmt.Errorf("committing to %s: %w: %w", s.path, journal.ErrFull, err)
	case absent && panicked:
		// Nothing was written, but what bbolt holds in memory is half done.
	default:
		err = fmt.Errorf("%w: %w", journal.ErrUnknown, err)
	}
	err = fmt.Errorf("committing to %s: %w", s.path, err)
	s.stop(err)
	return err
}

// lastCommitted is the transaction id in the file's valid meta page.
func (s *Store) lastCommitted() (int, error) {
	tx, err := s.begin(false)
	if err != nil {
		return 0, err
	}
	defer s.rollback(tx)
	return tx.ID(), nil
}

// isFull says whether a write found no room. bbolt passes on the errors of writing pages, but formats those of growing
// the file to text.
func isFull(err error) bool {
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return true
		}
		text := err.Error()
		grow := strings.HasPrefix(text, "file resize error: ") || strings.HasPrefix(text, "file sync error: ")
		if grow && strings.HasSuffix(text, full.Error()) {
			return true
		}
	}
	return false
}
