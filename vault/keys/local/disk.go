package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"muniment/anchor/bounded"
)

func mustBeAbsent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

// mustBePrivate also refuses a symbolic link: writing would replace the link and leave its target as it was.
func mustBePrivate(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, ErrMissing)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&^0o600 != 0 {
		return fmt.Errorf("%s has mode %v: %w", path, info.Mode(), ErrMode)
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	if err := mustBePrivate(path); err != nil {
		return nil, err
	}
	return bounded.ReadFile(path, bounded.Large)
}

func mustBeUnchanged(path string, raw []byte) error {
	now, err := readFile(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if !bytes.Equal(now, raw) {
		return fmt.Errorf("%s: %w", path, ErrChanged)
	}
	return nil
}

// writeFile replaces the file as a whole: a crash leaves the old one or the new one, and when it returns nil, the new
// one is on stable storage. The caller holds the lock, so the temporary name is its own.
func writeFile(path string, raw []byte) error {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing what a crash left: %w", err)
	}
	if err := writeSynced(temp, raw); err != nil {
		_ = os.Remove(temp) // the next write does it if this cannot
		return fmt.Errorf("writing: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("writing: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("syncing the folder: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("syncing the folder: %w", err)
	}
	return nil
}

func writeSynced(path string, raw []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(raw); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
