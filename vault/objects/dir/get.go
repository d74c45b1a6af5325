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

// Stat describes a version.
func (s *Store) Stat(ctx context.Context, key, version string) (objects.Info, error) {
	_, v, err := s.find(ctx, key, version)
	if err != nil {
		return objects.Info{}, fail("describing", err)
	}
	return s.info(key, v), nil
}

// Get opens a version. A content file that does not have the recorded size is ErrDamaged at once.
func (s *Store) Get(ctx context.Context, key, version string, span *objects.Span) (io.ReadCloser, objects.Info, error) {
	f, v, err := s.open(ctx, key, version)
	if err != nil {
		return nil, objects.Info{}, fail("reading", err)
	}
	body := &body{ctx: ctx, file: f, left: v.Size}
	if span != nil {
		if err := span.Check(v.Size); err != nil {
			f.Close()
			return nil, objects.Info{}, fail("reading", err)
		}
		body.at, body.left = span.Offset, span.Length
	}
	return body, s.info(key, v), nil
}

// find looks a version up (the newest when version is empty).
func (s *Store) find(ctx context.Context, key, id string) (location, version, error) {
	if err := ctx.Err(); err != nil {
		return location{}, version{}, err
	}
	if err := objects.CheckKey(key); err != nil {
		return location{}, version{}, err
	}
	if id != "" && (!s.versioned || !isVersion(id)) {
		return location{}, version{}, objects.ErrNotFound
	}
	p := s.locationOf(key)
	rec, _, err := readRecord(p)
	if err != nil {
		return location{}, version{}, err
	}
	i := rec.find(id)
	if i < 0 {
		return location{}, version{}, objects.ErrNotFound
	}
	return p, rec.Versions[i], nil
}

// open opens a version's content. A version may be replaced or deleted between the look at its record and the opening
// of its content; the record then tells, so it is read again.
func (s *Store) open(ctx context.Context, key, id string) (*os.File, version, error) {
	missing := ""
	for {
		p, v, err := s.find(ctx, key, id)
		if err != nil {
			return nil, version{}, err
		}
		if v.ID == missing {
			return nil, version{}, fmt.Errorf("%w: its content file is missing", objects.ErrNotFound)
		}
		f, err := os.Open(p.content(v.ID))
		if errors.Is(err, fs.ErrNotExist) {
			missing = v.ID
			continue
		}
		if err != nil {
			return nil, version{}, err
		}
		at, err := f.Stat()
		if err == nil && at.Size() != v.Size {
			err = fmt.Errorf("%w: it has %d bytes of %d", objects.ErrDamaged, at.Size(), v.Size)
		}
		if err != nil {
			f.Close()
			return nil, version{}, err
		}
		return f, v, nil
	}
}

// body reads a content file from at on, left bytes and no fewer.
type body struct {
	ctx  context.Context
	file *os.File
	at   int64
	left int64
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, fail("reading", err)
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.file.ReadAt(p[:min(int64(len(p)), b.left)], b.at)
	b.at += int64(n)
	b.left -= int64(n)
	switch {
	case b.left == 0 || err == nil:
		return n, nil
	case err == io.EOF:
		return n, fail("reading", fmt.Errorf("%w: it ends %d bytes early", objects.ErrDamaged, b.left))
	default:
		return n, fail("reading", err)
	}
}

func (b *body) Close() error { return b.file.Close() }
