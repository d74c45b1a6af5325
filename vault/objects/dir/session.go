package dir

import (
	"os"
	"path/filepath"
	"strings"

	"muniment/anchor/bounded"
)

// stagedRecord ends the name, in a session's folder, of a record that waits to be published; its version's id precedes
// it.
const stagedRecord = ".record"

// session is a process's own folder in DIR/incoming. Its lock is held as long as the process lives, so that others can
// tell what has been left from what is under way.
type session struct {
	folder folder
}

func (s *session) path(name string) string { return filepath.Join(s.folder.Name(), name) }

// end removes the session's folder.
func (s *session) end() error {
	err := os.RemoveAll(s.folder.Name())
	if closing := s.folder.Close(); err == nil {
		err = closing
	}
	return err
}

// begin clears away the sessions of dead processes and opens one of its own. The lock of DIR/incoming keeps others from
// taking a session that is not locked yet for a dead one.
func (s *Store) begin() error {
	incoming, err := openFolder(filepath.Join(s.root, incomingFolder))
	if err != nil {
		return err
	}
	defer incoming.Close()
	if err := incoming.lock(); err != nil {
		return err
	}
	entries, err := incoming.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.clear(filepath.Join(incoming.Name(), e.Name())); err != nil {
			return err
		}
	}
	id, err := s.draw()
	if err != nil {
		return err
	}
	path := filepath.Join(incoming.Name(), id)
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	own, err := openFolder(path)
	if err != nil {
		return err
	}
	if err := own.lock(); err != nil {
		own.Close()
		return err
	}
	s.session = &session{folder: own}
	return nil
}

// clear removes a session, unless its process lives, and the contents that it had linked but not come to record.
func (s *Store) clear(path string) error {
	f, err := openFolder(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if dead, err := f.tryLock(); err != nil || !dead {
		return err
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if id, ok := strings.CutSuffix(name, stagedRecord); ok && isVersion(id) {
			if err := s.undo(filepath.Join(path, name), id); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(path)
}

// undo removes the content of a version whose record was staged and never published.
func (s *Store) undo(path, id string) error {
	raw, err := bounded.ReadFile(path, bounded.Large)
	if err != nil {
		return err
	}
	staged, err := parseRecord(raw)
	if err != nil {
		return nil // cut off while it was written: its content was not linked yet
	}
	p := s.locationOf(staged.Key)
	f, rec, _, err := s.lockRecord(p)
	if err != nil {
		return err
	}
	defer f.Close()
	if rec.find(id) >= 0 {
		return nil
	}
	return finishRemoval(p, f, id)
}
