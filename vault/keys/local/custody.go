package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"muniment/vault/keys"
)

var _ keys.Custodian = (*Service)(nil)

// Versions describes the tenant's key. A trim retires versions and removes them in one write, so Kept and Oldest are
// the same.
func (s *Service) Versions(_ context.Context, tenant string) (keys.Versions, error) {
	st := s.state.Load()
	if st == nil {
		return keys.Versions{}, errClosed
	}
	versions := st.tenants[tenant]
	if len(versions) == 0 {
		return keys.Versions{}, fmt.Errorf("local key file: asking for the versions: %w", keys.ErrNoKey)
	}
	oldest := int(versions[0].number)
	return keys.Versions{Newest: int(versions[len(versions)-1].number), Oldest: oldest, Kept: oldest}, nil
}

// Rotate adds a version to the tenant's key and returns when the file with it is on stable storage.
func (s *Service) Rotate(_ context.Context, tenant string, from int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state.Load()
	if st == nil {
		return 0, errClosed
	}
	list := st.file.Tenants[tenant]
	if len(list) == 0 {
		return 0, fmt.Errorf("local key file: rotating: %w", keys.ErrNoKey)
	}
	newest := list[len(list)-1].Version
	switch {
	case from < int(newest):
		return int(newest), nil
	case from > int(newest) || newest == math.MaxUint32:
		return 0, fmt.Errorf("local key file: rotating from version %d, but the newest is %d: %w",
			from, newest, keys.ErrVersion)
	}
	next, err := newVersion(newest + 1)
	if err != nil {
		return 0, fmt.Errorf("local key file: drawing a key: %w", err)
	}
	if err := s.replace(st, tenant, append(slices.Clip(list), next)); err != nil {
		return 0, err
	}
	return int(next.Version), nil
}

// Trim drops the versions below oldest from the file. When it returns nil the file without them is on stable storage,
// and the bytes of the file that held them have been overwritten where they lay. That overwriting is all that a program
// can do, and less than it seems: copies elsewhere (backups, snapshots, earlier files that a write of this package
// replaced, a file system that writes every change to a fresh place, a disk that remaps its blocks, pages that were
// swapped out) keep what they have. Where that matters, keep the keys in Vault, or destroy the medium.
func (s *Service) Trim(_ context.Context, tenant string, oldest int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state.Load()
	if st == nil {
		return errClosed
	}
	list := st.file.Tenants[tenant]
	if len(list) == 0 {
		return fmt.Errorf("local key file: trimming: %w", keys.ErrNoKey)
	}
	if newest := list[len(list)-1].Version; oldest > int(newest) {
		return fmt.Errorf("local key file: trimming below version %d, but the newest is %d: %w",
			oldest, newest, keys.ErrVersion)
	}
	kept := slices.IndexFunc(list, func(k fileKey) bool { return int(k.Version) >= oldest })
	if kept == 0 {
		return nil
	}
	old, err := openOld(s.path)
	if err != nil {
		return fmt.Errorf("local key file: %w: %w", keys.ErrUnavailable, err)
	}
	if err := s.replace(st, tenant, list[kept:]); err != nil {
		return errors.Join(err, old.Close())
	}
	clear(st.raw) // nobody else reads the former state's bytes: who does holds mu
	for _, k := range list[:kept] {
		clear(k.Keyset)
	}
	if err := overwrite(old); err != nil {
		return fmt.Errorf("local key file: the versions are gone from it, but the file that held them "+
			"could not be overwritten: %w: %w", keys.ErrUnavailable, err)
	}
	return nil
}

// replace gives the tenant that list of versions, in the file and then here. The caller holds mu.
func (s *Service) replace(st *state, tenant string, list []fileKey) error {
	f := st.file
	f.Tenants = maps.Clone(f.Tenants)
	f.Tenants[tenant] = list
	next, err := f.state()
	if err != nil {
		return fmt.Errorf("local key file: %w", err)
	}
	if err := mustBeUnchanged(s.path, st.raw); err != nil {
		return fmt.Errorf("local key file: %w: %w", keys.ErrUnavailable, err)
	}
	if err := writeFile(s.path, next.raw); err != nil {
		// The new file may stand already. Then Check says that the file was changed, and the next Open reads it: a
		// tenant or a version more that wrapped nothing, or versions fewer that were to go.
		return fmt.Errorf("local key file: %w: %w", keys.ErrUnavailable, err)
	}
	s.state.Store(next)
	return nil
}
