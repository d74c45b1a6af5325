//go:build unix && !aix && !solaris

package local

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// openOld opens the key file for overwrite, before another takes its place.
func openOld(path string) (*os.File, error) {
	old, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the file that is to be overwritten: %w", err)
	}
	return old, nil
}

// overwrite puts zeros over a file that another has replaced, and closes it. A file that has a name left is left
// alone: somebody made that hard link for a backup, and it holds living keys too.
func overwrite(old *os.File) error {
	info, err := old.Stat()
	if err != nil {
		return errors.Join(err, old.Close())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Nlink > 0 {
		return old.Close()
	}
	if _, err := old.WriteAt(make([]byte, info.Size()), 0); err != nil {
		return errors.Join(err, old.Close())
	}
	return errors.Join(old.Sync(), old.Close())
}
