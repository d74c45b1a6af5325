package dir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"muniment/vault/objects"
)

// bufferSize is how much of a body is in memory at a time, for each Put under way.
const bufferSize = 256 << 10

// staged is a version that is written and synced, but not yet published.
type staged struct {
	content, record string // files in the session's folder
	version         version
	base            []byte // the key's record, as it was when the staged one was made from it
}

// Put stores a new version. A condition that does not hold from the start is refused before the body is read.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info, error) {
	info, err := s.put(ctx, key, body, opt)
	if err != nil {
		return objects.Info{}, fail("storing", err)
	}
	return info, nil
}

func (s *Store) put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info, error) {
	if err := objects.CheckKey(key); err != nil {
		return objects.Info{}, err
	}
	if !s.versioned && !opt.RetainUntil.IsZero() {
		return objects.Info{}, fmt.Errorf("a retention lock in a store without versions: %w", errors.ErrUnsupported)
	}
	if s.session == nil {
		return objects.Info{}, errReadOnly
	}
	p := s.locationOf(key)
	rec, base, err := readRecord(p)
	if err != nil {
		return objects.Info{}, err
	}
	if err := rec.allows(opt.Condition); err != nil {
		return objects.Info{}, err
	}
	id, err := s.draw()
	if err != nil {
		return objects.Info{}, err
	}
	st := staged{content: s.session.path(id), record: s.session.path(id + stagedRecord), base: base}
	st.version = version{ID: id, RetainUntil: wholeSecond(opt.RetainUntil)}
	defer os.Remove(st.content)
	defer os.Remove(st.record) // fails when it has been renamed to its place
	if err := s.stage(ctx, rec, &st, body, opt.Length); err != nil {
		return objects.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return objects.Info{}, err
	}
	if err := s.publish(p, st, opt.Condition); err != nil {
		return objects.Info{}, err
	}
	return s.info(key, st.version), nil
}

// stage writes content and record to the session's folder. The two syncs run side by side: one commit of the file
// system's journal can serve both.
func (s *Store) stage(ctx context.Context, rec record, st *staged, body io.Reader, length int64) error {
	f, err := os.OpenFile(st.content, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if st.version.Size, err = s.receive(ctx, f, body, length); err != nil {
		return err
	}
	st.version.Modified = s.clock.Now().UTC()
	raw, err := rec.with(st.version, s.versioned).encode()
	if err != nil {
		return err
	}
	synced := make(chan error, 1)
	go func() { synced <- f.Sync() }()
	err = writeSynced(st.record, raw)
	return errors.Join(<-synced, err)
}

// receive copies the body and returns its size. Only a plain io.EOF ends the body; any other error of it,
// io.ErrUnexpectedEOF too, fails the Put.
func (s *Store) receive(ctx context.Context, to io.Writer, body io.Reader, length int64) (int64, error) {
	buffer := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buffer)
	var size int64
	for idle := 0; ; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := body.Read(*buffer)
		size += int64(n)
		if length >= 0 && size > length {
			return 0, fmt.Errorf("%w: it goes on after %d bytes", objects.ErrShort, length)
		}
		if n > 0 {
			if _, err := to.Write((*buffer)[:n]); err != nil {
				return 0, err
			}
			idle = 0
		} else if idle++; err == nil && idle > 100 {
			return 0, bodyError{io.ErrNoProgress}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, bodyError{err}
		}
	}
	if length >= 0 && size != length {
		return 0, fmt.Errorf("%w: %d bytes of %d", objects.ErrShort, size, length)
	}
	return size, nil
}

// publish makes a staged version the newest one of its key, if the condition holds now.
func (s *Store) publish(p location, st staged, condition objects.Condition) error {
	f, rec, raw, err := s.lockRecord(p)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := rec.allows(condition); err != nil {
		return err
	}
	if !bytes.Equal(raw, st.base) {
		if err := s.restage(rec, st); err != nil {
			return err
		}
	}
	// Link, unlike rename, fails if there is such a file: contents are never overwritten, whatever the randomness is
	// worth.
	if err := os.Link(st.content, p.content(st.version.ID)); err != nil {
		return err
	}
	if err := os.Rename(st.record, p.record()); err != nil {
		os.Remove(p.content(st.version.ID))
		return err
	}
	if err := f.unlock(); err != nil { // others need not wait for the sync
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%w: it may have been stored: %w", objects.ErrUnavailable, err)
	}
	if !s.versioned {
		s.removeReplaced(p, rec)
	}
	return nil
}

// restage makes the staged record anew: another Put, or a lock, came between.
func (s *Store) restage(rec record, st staged) error {
	raw, err := rec.with(st.version, s.versioned).encode()
	if err != nil {
		return err
	}
	if err := os.Remove(st.record); err != nil {
		return err
	}
	return writeSynced(st.record, raw)
}

// removeReplaced removes contents that a store without versions holds no longer. A failed removal costs only room,
// and the next Put of the key tries again.
func (s *Store) removeReplaced(p location, old record) {
	for _, v := range old.Versions {
		os.Remove(p.content(v.ID))
	}
	if old.Replaced != "" {
		os.Remove(p.content(old.Replaced))
	}
}
