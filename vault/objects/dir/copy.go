package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"muniment/vault/objects"
)

// CopyTo copies to another store what that one lacks, version by version, under their own version ids, so that what is
// on record about an object is true of the copy. Both may be in use. It takes nothing from the copy, and brings locks
// and holds there up to date. Keys that skip names are left out; it may be nil. progress, if not nil, is told how many
// versions have been looked at. It returns how many were copied, and their bytes.
func (s *Store) CopyTo(ctx context.Context, to *Store, skip func(key string) bool,
	progress func(seen int)) (versions int, bytes int64, err error) {
	if to.session == nil {
		return 0, 0, errReadOnly
	}
	if !s.versioned || !to.versioned {
		return 0, 0, fmt.Errorf("copying an object folder without versions: %w", errors.ErrUnsupported)
	}
	seen, last := 0, ""
	for info, err := range s.List(ctx, "", "") {
		if err != nil {
			return versions, bytes, fail("copying", err)
		}
		if skip != nil && skip(info.Key) {
			continue
		}
		if seen++; progress != nil {
			progress(seen)
		}
		if info.Key == last { // all versions of a key are copied at once
			continue
		}
		last = info.Key
		n, size, err := s.copyKey(ctx, to, last)
		versions, bytes = versions+n, bytes+size
		if err != nil {
			return versions, bytes, fail("copying", err)
		}
	}
	return versions, bytes, nil
}

// copyKey copies the versions of one key, and then the record that names them.
func (s *Store) copyKey(ctx context.Context, to *Store, key string) (versions int, bytes int64, err error) {
	theirs, _, err := readRecord(s.locationOf(key))
	if err != nil {
		return 0, 0, err
	}
	p := to.locationOf(key)
	f, ours, raw, err := to.lockRecord(p)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for _, v := range theirs.Versions {
		if at := ours.find(v.ID); at >= 0 {
			ours.Versions[at] = v
			continue
		}
		err := s.copyVersion(ctx, to, key, v)
		if errors.Is(err, objects.ErrNotFound) { // deleted since the record was read
			continue
		}
		if err != nil {
			return versions, bytes, err
		}
		ours.Versions = append(ours.Versions, v)
		versions, bytes = versions+1, bytes+v.Size
	}
	if next, err := ours.encode(); err != nil || len(ours.Versions) == 0 || string(next) == string(raw) {
		return versions, bytes, err
	}
	if err := to.replaceRecord(p, ours); err != nil {
		return versions, bytes, err
	}
	return versions, bytes, f.Sync()
}

// copyVersion copies the content of a version. It counts only when a record names it.
func (s *Store) copyVersion(ctx context.Context, to *Store, key string, v version) error {
	body, _, err := s.Get(ctx, key, v.ID, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	path := to.session.path(v.ID)
	defer os.Remove(path)
	if err := writeCopy(path, body); err != nil {
		return err
	}
	// A file that is there already was linked by a copy that broke off before the record; it was synced as a whole.
	if err := os.Link(path, to.locationOf(key).content(v.ID)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func writeCopy(path string, body io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
