// Package bolt keeps a journal in one bbolt file on one machine: the default backend, with nothing else to install.
//
// Each table is a top-level bucket under its full name, such as "p.documents". A file belongs to one process at a time.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"muniment/anchor/journal"
)

const (
	// defaultTimeout gives a process that is just ending time to unlock the file, and is short enough for a person to
	// wait.
	defaultTimeout = 2 * time.Second
	// mapSize is the address space, not memory, that the file is mapped into. With room to grow, a transaction never
	// has to map the file anew, which would have to wait for every reader.
	mapSize = min(1<<40, maxInt)
	maxInt  = int(^uint(0) >> 1)
)

// Config says which file, and how to open it.
type Config struct {
	// Path is the file. Its folder must exist.
	Path string
	// Create permits to make the file if there is none. Without it, a missing file is an error that wraps
	// fs.ErrNotExist. An existing file is never replaced.
	Create bool
	// ReadOnly opens the file to be read only, as on a read-only medium. Several processes may read it so at once.
	ReadOnly bool
	// Timeout is how long to wait for another process to let go of the file; 2 seconds if it is not above zero.
	Timeout time.Duration
	// Log gets warnings about a file that can be used. It may be nil.
	Log *slog.Logger
}

// ErrInUse says that another process has the file open.
var ErrInUse = errors.New("another process has it open, and must end first")

// Store is an open bbolt file. It implements [journal.Backend].
//
// After a transaction whose outcome is unknown it refuses further ones with an error that wraps [journal.ErrStopped]:
// a sync that succeeds after one that failed proves nothing about the pages of the first. Views go on.
type Store struct {
	path   string
	db     *bbolt.DB
	file   *os.File
	writer chan struct{} // holds one token while there is a writer
	// stopped is why there may be no further Update. It is text and not an error: a later Update writes nothing, so its
	// error must not wrap ErrUnknown as the earlier one does.
	stopped atomic.Pointer[string]
	// stuck says that bbolt panicked with its locks held, so that no call into it may be expected to return.
	stuck atomic.Bool
}

var _ journal.Backend = (*Store)(nil)

// Open opens the file. It refuses one that is in use by another process, empty, cut short, or without a meta page that
// is whole; the last three wrap [journal.ErrDamaged].
func Open(c Config) (*Store, error) {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("opening the journal's file %s: %w", c.Path, err)
	}
	return s, nil
}

func open(c Config) (*Store, error) {
	if err := prepare(c); err != nil {
		return nil, err
	}
	s := &Store{path: c.Path, writer: make(chan struct{}, 1)}
	err := s.openDB(c)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		err = fmt.Errorf("%w: %w", ErrInUse, err)
	case errors.Is(err, journal.ErrDamaged):
		err = fmt.Errorf("%w; %s", err, remedy)
	case errors.Is(err, syscall.ENOMEM):
		err = fmt.Errorf("%w: it is mapped with %d GiB to grow in, which takes addresses and no memory", err,
			mapSize>>30)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openDB opens the bbolt file. A panic of bbolt's over a damaged page becomes an error, and the file is let go.
func (s *Store) openDB(c Config) (err error) {
	defer panicOnFault()()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", journal.ErrDamaged, p)
		}
		if err != nil && s.file != nil {
			_ = s.abandon() // after an error of bbolt's own it is closed already
		}
	}()
	s.db, err = bbolt.Open(s.path, fileMode, &bbolt.Options{
		Timeout:         c.Timeout,
		ReadOnly:        c.ReadOnly,
		InitialMmapSize: mapSize,
		// With 50,000 scattered free pages the two types cost the same; this one does not get slower with more.
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
			s.file = f
			return f, err
		},
	})
	return err
}

// Close waits for open transactions to end, and lets go of the file. Later calls return [journal.ErrClosed], wrapped.
func (s *Store) Close() error {
	if s.stuck.Load() {
		// bbolt would wait for its own locks for ever.
		return s.abandon()
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the journal's file %s: %w", s.path, err)
	}
	return nil
}

// abandon closes the file behind bbolt's back, so that at least no lock is left on it.
func (s *Store) abandon() error {
	unlock(s.file)
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("closing the journal's file %s: %w", s.path, err)
	}
	return nil
}

// View runs fn on a snapshot. It never waits for an Update.
func (s *Store) View(ctx context.Context, fn func(journal.Reader) error) error {
	return s.view(ctx, func(r *reader) error { return fn(r) })
}

func (s *Store) view(ctx context.Context, fn func(*reader) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", s.path, err)
	}
	defer panicOnFault()()
	tx, err := s.begin(false)
	if err != nil {
		return err
	}
	return s.run(tx, func() error { return fn(newReader(ctx, s, tx)) }, true)
}

// Tables names every table in which there is a row.
func (s *Store) Tables(ctx context.Context) ([]journal.Table, error) {
	var tables []journal.Table
	err := s.view(ctx, func(r *reader) (err error) {
		tables, err = r.tables()
		return err
	})
	return tables, err
}
