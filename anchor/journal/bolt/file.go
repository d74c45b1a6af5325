package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"muniment/anchor/journal"
)

const (
	fileMode = 0o600
	remedy   = "move the file away and restore the journal from its release bucket"
)

// prepare makes the file if it may, and looks whether it can be mapped.
func prepare(c Config) error {
	_, err := os.Stat(c.Path)
	if errors.Is(err, fs.ErrNotExist) && c.Create {
		err = create(c.Path)
	}
	if err != nil {
		return err
	}
	return check(c)
}

// create makes a new file under another name and links it to its own, so that a file of that name is always whole. If
// two processes create it, the first one's file stays.
func create(path string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("making it: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // what stays behind has a name that nobody uses
	if err := f.Close(); err != nil {
		return fmt.Errorf("making it: %w", err)
	}
	db, err := bbolt.Open(f.Name(), fileMode, &bbolt.Options{Timeout: defaultTimeout})
	if err != nil {
		return fmt.Errorf("making it: %w", err)
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("making it: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making it: %w", err)
	}
	return syncFolder(dir)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing its folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing its folder: %w", err)
	}
	return nil
}

// check refuses a file that is not whole. bbolt would make a new journal of an empty one, and reading past the end of
// one that was cut short would end the process.
func check(c Config) error {
	f, err := os.Open(c.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	m, torn, err := newestMeta(f)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if size := uint64(info.Size()); m.pages > size/uint64(m.pageSize) {
		return fmt.Errorf("%w: the file was cut short: it should hold %d pages of %d bytes, and has %d bytes; %s",
			journal.ErrDamaged, m.pages, m.pageSize, size, remedy)
	}
	if torn {
		c.Log.Warn("one of the two meta pages of the journal's file is not valid; going on from the other",
			"file", c.Path)
	}
	return nil
}
