package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"muniment/vault/objects"
)

// Delete removes a version: first from the record, then its content.
func (s *Store) Delete(ctx context.Context, key, version string) error {
	if err := s.remove(ctx, key, version); err != nil {
		return fail("deleting", err)
	}
	return nil
}

func (s *Store) remove(ctx context.Context, key, id string) error {
	if s.versioned && id == "" {
		return errors.New("in a store with versions, one must be named")
	}
	if id != "" && (!s.versioned || !isVersion(id)) {
		return objects.CheckKey(key) // there never was such a version
	}
	if s.session == nil {
		return errReadOnly
	}
	return s.inFolder(ctx, key, func(p location, f folder) error {
		rec, _, err := readRecord(p)
		if err != nil {
			return err
		}
		i := rec.find(id)
		if i < 0 {
			// A crash may have come between record and content.
			return finishRemoval(p, f, id)
		}
		if rec.Versions[i].locked(s.clock.Now()) {
			return objects.ErrLocked
		}
		if !s.versioned {
			s.removeReplaced(p, record{Replaced: rec.Replaced})
		}
		id := rec.Versions[i].ID
		rec.Versions = slices.Delete(rec.Versions, i, i+1)
		if err := s.replaceRecord(p, rec); err != nil {
			return err
		}
		return finishRemoval(p, f, id)
	})
}

// finishRemoval removes the content of a version that is in no record.
func finishRemoval(p location, f folder, id string) error {
	if id != "" {
		if err := os.Remove(p.content(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return f.Sync()
}

// Retain extends a version's retention lock.
func (s *Store) Retain(ctx context.Context, key, id string, until time.Time) error {
	until = wholeSecond(until)
	err := s.change(ctx, key, id, func(v *version) error {
		if until.Before(v.RetainUntil) {
			return fmt.Errorf("%w until a later date", objects.ErrLocked)
		}
		v.RetainUntil = until
		return nil
	})
	if err != nil {
		return fail("extending a lock", err)
	}
	return nil
}

// Hold sets or lifts a version's legal hold.
func (s *Store) Hold(ctx context.Context, key, id string, on bool) error {
	err := s.change(ctx, key, id, func(v *version) error {
		v.Held = on
		return nil
	})
	if err != nil {
		return fail("setting a hold", err)
	}
	return nil
}

// change rewrites what the record says of one version, durably.
func (s *Store) change(ctx context.Context, key, id string, edit func(*version) error) error {
	if !s.versioned {
		return fmt.Errorf("locks in a store without versions: %w", errors.ErrUnsupported)
	}
	if s.session == nil {
		return errReadOnly
	}
	found := false
	err := s.inFolder(ctx, key, func(p location, f folder) error {
		rec, _, err := readRecord(p)
		if err != nil {
			return err
		}
		i := rec.find(id)
		if i < 0 {
			return nil
		}
		found = true
		before := rec.Versions[i]
		if err := edit(&rec.Versions[i]); err != nil {
			return err
		}
		// A change that changes nothing is synced all the same: its first writer may not have come so far.
		if rec.Versions[i] != before {
			if err := s.replaceRecord(p, rec); err != nil {
				return err
			}
		}
		return f.Sync()
	})
	if err == nil && !found {
		err = objects.ErrNotFound
	}
	return err
}

// inFolder runs fn under the lock of the key's folder, or not at all if there is no such folder.
func (s *Store) inFolder(ctx context.Context, key string, fn func(location, folder) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := objects.CheckKey(key); err != nil {
		return err
	}
	p := s.locationOf(key)
	f, err := openFolder(p.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.lock(); err != nil {
		return err
	}
	return fn(p, f)
}
