// Package dir keeps objects in a folder of one machine: the embedded implementation of objects.Store.
//
// The key a/b/3fa9 is kept in DIR/data/a/b/3f+/ as two kinds of files:
//
//	3fa9@versions    the record: a line of JSON with the key's versions, their sizes, locks and holds
//	3fa9@<version>   one for each version: exactly the bytes that were put, so that sha256sum can check them
//
// The record is the only truth: a version exists when the record says so. It is never changed in place; a new one is
// written and synced beside, in DIR/incoming, and renamed over the old, under a lock (flock) of the folder that both
// stand in, so that conditions hold among processes too. Files that a crash leaves in DIR/incoming are removed at the
// next Open, with the content files that it had not come to record. "+" and "@" never occur in keys, so no two keys can
// meet in one name. The first two characters spread random keys over folders; a million objects of a tenant are 4,000
// to a folder.
//
// A Put syncs three files: content and record, side by side, and then the folder.
package dir

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"muniment/anchor/bounded"
	"muniment/vault/objects"
)

// ErrMissing says that the folder holds no object store, and that Config.Create did not permit to start one.
var ErrMissing = errors.New("there is no object store here")

// errReadOnly says that the store was opened to be read only.
var errReadOnly = errors.New("the store is open for reading only")

// Clock tells the time: locks end, and versions are dated, by it.
type Clock interface {
	Now() time.Time
}

// Config is what a store needs. Every field is required unless it says otherwise.
type Config struct {
	Dir       string
	Versioned bool // keeps every version of a key, with locks; fixed when the store is created
	Create    bool // permits to start an empty store where there is none; without it Open returns ErrMissing
	// ReadOnly opens a store that is only read, as on a read-only medium, and writes nothing at all: what dead
	// processes have left stays, and every change is refused.
	ReadOnly bool
	Clock    Clock
	Rand     io.Reader // version ids; need not be safe for concurrent use
}

// Store is an open folder of objects. Several processes may have one folder open at once.
type Store struct {
	root      string
	versioned bool
	clock     Clock
	session   *session  // nil: it is only read
	buffers   sync.Pool // *[]byte of bufferSize
	durable   sync.Map  // folder → struct{}: its entry in its parent is known to be synced

	drawing sync.Mutex // guards rand
	rand    io.Reader
}

var _ objects.Store = (*Store)(nil)

// Open opens the store in cfg.Dir, or starts one there if cfg.Create says so, and removes what earlier processes left
// unfinished.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Dir == "" || cfg.Clock == nil || cfg.Rand == nil {
		return nil, errors.New("opening object folder: Dir, Clock and Rand must be given")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("opening object folder: %w", err)
	}
	s := &Store{root: filepath.Clean(cfg.Dir), versioned: cfg.Versioned, clock: cfg.Clock, rand: cfg.Rand}
	s.buffers.New = func() any { b := make([]byte, bufferSize); return &b }
	if err := openFormat(s.root, cfg.Versioned, cfg.Create); err != nil {
		return nil, fmt.Errorf("opening object folder %s: %w", s.root, err)
	}
	if cfg.ReadOnly {
		return s, nil
	}
	if err := s.begin(); err != nil {
		return nil, fmt.Errorf("opening object folder %s: %w", s.root, classify(err))
	}
	return s, nil
}

// Close gives the folder back. No call may be under way.
func (s *Store) Close() error {
	if s.session == nil {
		return nil
	}
	if err := s.session.end(); err != nil {
		return fmt.Errorf("closing object folder: %w", err)
	}
	return nil
}

// Check writes, syncs, reads and removes a small file.
func (s *Store) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fail("checking", err)
	}
	if s.session == nil {
		return fail("checking", errReadOnly)
	}
	id, err := s.draw()
	if err != nil {
		return fail("checking", err)
	}
	path := s.session.path(id + ".check")
	defer os.Remove(path)
	if err := writeSynced(path, []byte(id)); err != nil {
		return fail("checking", err)
	}
	back, err := bounded.ReadFile(path, bounded.Small)
	if err == nil && string(back) != id {
		err = fmt.Errorf("%w: a file reads back otherwise than it was written", objects.ErrUnavailable)
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(s.root, dataFolder))
	}
	if err != nil {
		return fail("checking", err)
	}
	return nil
}

// Path is the file that holds exactly the bytes of a version (the newest when version is empty).
func (s *Store) Path(ctx context.Context, key, version string) (string, error) {
	p, v, err := s.find(ctx, key, version)
	if err != nil {
		return "", fail("looking up", err)
	}
	return p.content(v.ID), nil
}

// draw makes a version id: 32 hexadecimal digits.
func (s *Store) draw() (string, error) {
	s.drawing.Lock()
	defer s.drawing.Unlock()
	var id [16]byte
	if _, err := io.ReadFull(s.rand, id[:]); err != nil {
		return "", fmt.Errorf("drawing a version id: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}
