package dir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// folder is a directory that is held open to lock it against other writers, in this process or another, and to sync it.
type folder struct{ *os.File }

func openFolder(path string) (folder, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	return folder{f}, err
}

// lock waits for the folder's lock; Close gives it back too.
func (f folder) lock() error { return f.flock(syscall.LOCK_EX) }

// tryLock takes the folder's lock if nobody has it.
func (f folder) tryLock() (bool, error) {
	err := f.flock(syscall.LOCK_EX | syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func (f folder) unlock() error { return f.flock(syscall.LOCK_UN) }

func (f folder) flock(how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// syncFolder makes the entries of a directory durable.
func syncFolder(path string) error {
	f, err := openFolder(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// writeSynced writes a new file and syncs it; the caller syncs the folder. On error nothing is left.
func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

// enter opens the folder, and first makes it and those above it, up to the root, if they are missing. The first time
// that this process enters a folder it syncs those above it even if they were there: the process that made them may
// have died before it did.
func (s *Store) enter(path string) (folder, error) {
	if _, known := s.durable.Load(path); !known {
		if err := s.makeDurable(path); err != nil {
			return folder{}, err
		}
	}
	return openFolder(path)
}

func (s *Store) makeDurable(path string) error {
	if _, known := s.durable.Load(path); known || path == s.root {
		return nil
	}
	parent := filepath.Dir(path)
	if err := s.makeDurable(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncFolder(parent); err != nil {
		return err
	}
	s.durable.Store(path, struct{}{})
	return nil
}
