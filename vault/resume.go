package vault

import (
	"context"
	"errors"
	"io"

	"muniment/vault/objects"
)

// resumes is how often in a row a body that breaks off is asked for anew while none of it comes.
const resumes = 3

// resumingReader reads a span of a stored object. Where the store breaks off, it asks for the rest: a download of hours
// should not fail for one connection that was lost. That what comes then is of the same object, the version and the
// segments' own verification see to.
type resumingReader struct {
	ctx    context.Context
	store  objects.Store
	object StoredObject
	at     int64 // of the next byte
	end    int64
	body   io.ReadCloser
	left   int
}

// openResuming opens a span that is not empty, and describes the object. A span of the whole object is asked for
// without a range, so that an object of another size is noticed.
func openResuming(ctx context.Context, store objects.Store, o StoredObject, span objects.Span) (*resumingReader,
	objects.Info,
	error) {
	s := &resumingReader{ctx: ctx, store: store, object: o, at: span.Offset, end: span.Offset + span.Length,
		left: resumes}
	part := &span
	if span == (objects.Span{Length: o.Size}) {
		part = nil
	}
	body, info, err := store.Get(ctx, o.Key, o.Version, part)
	s.body = body
	return s, info, err
}

// Read reads on.
func (s *resumingReader) Read(p []byte) (int, error) {
	for {
		n, err := s.body.Read(p)
		if n > 0 {
			s.at += int64(n)
			s.left = resumes
		}
		if err == nil || !errors.Is(err, objects.ErrUnavailable) || s.left == 0 || s.ctx.Err() != nil || s.at >= s.end {
			return n, err
		}
		s.left--
		if resumed := s.resume(); resumed != nil {
			return n, resumed
		}
		if n > 0 {
			return n, nil
		}
	}
}

// resume opens the rest.
func (s *resumingReader) resume() error {
	_ = s.body.Close() // it has failed already
	body, _, err := s.store.Get(s.ctx, s.object.Key, s.object.Version,
		&objects.Span{Offset: s.at, Length: s.end - s.at})
	if err != nil {
		s.body = io.NopCloser(errReader{err})
		return err
	}
	s.body = body
	return nil
}

// Close closes the body.
func (s *resumingReader) Close() error { return s.body.Close() }

// errReader fails.
type errReader struct{ err error }

// Read implements [io.Reader].
func (r errReader) Read([]byte) (int, error) { return 0, r.err }
