package local

import (
	"context"
	"fmt"

	"muniment/vault/keys"
)

// Snapshot is a key file as it was at one moment, for reading beside the process that has it open: it unwraps, and
// neither takes the file's lock nor ever writes.
type Snapshot struct{ *Service }

var _ keys.Service = Snapshot{}

// Read reads a key file that exists. Its errors are those of Open, without ErrLocked.
func Read(path string) (Snapshot, error) {
	st, err := load(path)
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading the key file: %w", err)
	}
	s := &Service{path: path, lock: noLock{}}
	s.state.Store(st)
	return Snapshot{s}, nil
}

// noLock is the lock of what was only read.
type noLock struct{}

// Close gives nothing back.
func (noLock) Close() error { return nil }

var errSnapshot = fmt.Errorf("local key file: it is only read here: %w", keys.ErrDenied)

// CreateTenant is denied.
func (Snapshot) CreateTenant(context.Context, string) error { return errSnapshot }

// Rotate is denied.
func (Snapshot) Rotate(context.Context, string, int) (int, error) { return 0, errSnapshot }

// Trim is denied.
func (Snapshot) Trim(context.Context, string, int) error { return errSnapshot }
