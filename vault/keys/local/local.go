// Package local keeps the tenants' keys, the journals' own, and the keys that sign, in one file beside the data: the
// key service of the embedded default, and its key custodian. A reader of the file can read every document, so it is
// kept and backed up apart from the data.
package local

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"muniment/vault/keys"
)

// Service is a keys.Service over a key file. It holds the file's lock until Close.
type Service struct {
	path  string
	lock  io.Closer
	state atomic.Pointer[state] // nil once closed

	mu sync.Mutex // held while the file is written
}

// state is what the file says. It is never changed, only replaced.
type state struct {
	file    file
	raw     []byte
	tenants map[string][]version
	journal []version // of the journals' key
	signers map[string]*Signer
}

// version is one version of a tenant's key or of the journals', ready for use.
type version struct {
	number uint32
	aead   cipher.AEAD
}

var _ keys.Service = (*Service)(nil)

// Create makes a key file with fresh signing keys, a key for the journals and no tenant, and opens it. It never touches
// a file that exists: the error then wraps fs.ErrExist.
func Create(path string) (*Service, error) {
	lock, err := lockFile(path)
	if err != nil {
		return nil, fmt.Errorf("creating the key file: %w", err)
	}
	s, err := create(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("creating the key file: %w", err), lock.Close())
	}
	s.lock = lock
	return s, nil
}

func create(path string) (*Service, error) {
	if err := mustBeAbsent(path); err != nil {
		return nil, err
	}
	f, err := newFile()
	if err != nil {
		return nil, err
	}
	st, err := f.state()
	if err != nil {
		return nil, err
	}
	if err := writeFile(path, st.raw); err != nil {
		return nil, err
	}
	s := &Service{path: path}
	s.state.Store(st)
	return s, nil
}

// Open opens a key file that exists. ErrMissing if there is none: it is never made here, since a new key file where
// there should be an old one means that every document is lost. ErrLocked while another process has it; ErrMode if
// others than its owner may read it; ErrNewer, ErrFile.
func Open(path string) (*Service, error) {
	if err := mustBePrivate(path); err != nil { // before a lock file is made where there is nothing to lock
		return nil, fmt.Errorf("opening the key file: %w", err)
	}
	lock, err := lockFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening the key file: %w", err)
	}
	st, err := load(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the key file: %w", err), lock.Close())
	}
	s := &Service{path: path, lock: lock}
	s.state.Store(st)
	return s, nil
}

func load(path string) (*state, error) {
	raw, err := readFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parseFile(raw)
	if err != nil {
		return nil, err
	}
	st, err := f.state()
	if err != nil {
		return nil, err
	}
	st.raw = raw
	return st, nil
}

// Close gives the file's lock back. Later calls return keys.ErrUnavailable.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Swap(nil) == nil {
		return nil
	}
	if err := s.lock.Close(); err != nil {
		return fmt.Errorf("closing the key file: %w", err)
	}
	return nil
}

// Format keeps the keys out of whatever prints a Service.
func (s *Service) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[local keys]") }

var errClosed = fmt.Errorf("local key file: it is closed: %w", keys.ErrUnavailable)

// CreateTenant draws a key for the tenant, unless it has one, and returns when the file with it is on stable storage.
// The tenant's name is 1 to 256 bytes of UTF-8, and not keys.Journals.
func (s *Service) CreateTenant(_ context.Context, tenant string) error {
	if tenant == "" || len(tenant) > 256 || !utf8.ValidString(tenant) || tenant == keys.Journals {
		return fmt.Errorf("local key file: a tenant's name must be 1 to 256 bytes of UTF-8, and %q is reserved",
			keys.Journals)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state.Load()
	if st == nil {
		return errClosed
	}
	if _, ok := st.tenants[tenant]; ok {
		return nil
	}
	first, err := newVersion(1)
	if err != nil {
		return fmt.Errorf("local key file: drawing a key: %w", err)
	}
	return s.replace(st, tenant, []fileKey{first})
}

// Check says whether the file still holds what this process has of it, so that a key file which was deleted or replaced
// is noticed while its keys are still in memory.
func (s *Service) Check(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state.Load()
	if st == nil {
		return errClosed
	}
	if err := mustBeUnchanged(s.path, st.raw); err != nil {
		return fmt.Errorf("local key file: %w: %w", keys.ErrUnavailable, err)
	}
	return nil
}
