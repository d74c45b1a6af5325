package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/vault/objects"
)

// Get opens a version.
func (s *Store) Get(ctx context.Context, key, version string, span *objects.Span) (io.ReadCloser, objects.Info, error) {
	b, info, err := s.get(ctx, key, version, span)
	if err != nil {
		return nil, objects.Info{}, s.fail("reading", err)
	}
	return b, info, nil
}

func (s *Store) get(ctx context.Context, key, version string, span *objects.Span) (io.ReadCloser, objects.Info, error) {
	opt := minio.GetObjectOptions{VersionID: version}
	if err := s.checkVersioned(key, version); err != nil {
		return nil, objects.Info{}, err
	}
	if span != nil {
		if err := span.Check(math.MaxInt64); err != nil {
			return nil, objects.Info{}, err
		}
		opt.Set("Range", fmt.Sprintf("bytes=%d-%d", span.Offset, span.Offset+span.Length-1))
	}
	var b *body
	var info objects.Info
	err := s.do(ctx, func(a *attempt) error {
		raw, stat, header, err := s.client.GetObject(a.ctx, s.cfg.Bucket, key, opt)
		if err != nil {
			return missing(err, version)
		}
		b = &body{store: s, attempt: a, raw: raw, left: stat.Size}
		if info, err = s.opened(key, version, stat, header, span, a.status); err != nil {
			raw.Close()
			return err
		}
		a.kept = true
		a.timer.Stop() // until the caller reads
		return nil
	})
	if err != nil {
		return nil, objects.Info{}, err
	}
	return b, info, nil
}

// opened checks that an answer is about what was asked for, all of it, and describes the whole object.
func (s *Store) opened(key, version string, stat minio.ObjectInfo, header http.Header, span *objects.Span,
	status int) (objects.Info, error) {
	length := stat.Size
	if length < 0 {
		return objects.Info{}, errors.New("the store does not say how many bytes it sends")
	}
	if span != nil {
		from, to, size, err := parseContentRange(header.Get("Content-Range"))
		if status != http.StatusPartialContent || err != nil { // an object without bytes may be given whole
			if err := span.Check(length); err != nil {
				return objects.Info{}, err
			}
			return objects.Info{}, errors.New("the store does not give the range that it was asked for")
		}
		if err := span.Check(size); err != nil {
			return objects.Info{}, err
		}
		if from != span.Offset || to != span.Offset+span.Length-1 || length != span.Length {
			return objects.Info{}, errors.New("the store gives another range than it was asked for")
		}
		stat.Size = size
	} else if status != http.StatusOK {
		return objects.Info{}, errors.New("the store gives a part of an object that it was asked for whole")
	}
	info, err := s.info(key, stat)
	if err == nil && version != "" && info.Version != version {
		err = fmt.Errorf("%w: the store gives another version than it was asked for", objects.ErrDamaged)
	}
	return info, err
}

// parseContentRange reads "bytes from-to/size" (RFC 9110, section 14.4).
func parseContentRange(value string) (from, to, size int64, err error) {
	_, err = fmt.Sscanf(value, "bytes %d-%d/%d", &from, &to, &size)
	return from, to, size, err
}

// body is the bytes of an object on their way. It knows how many there must be: an end before that is an error, and so
// is a pause of Config.Timeout.
type body struct {
	store   *Store
	attempt *attempt
	raw     io.ReadCloser
	left    int64
	err     error
}

// Read reads on.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.attempt.moved()
	n, err := b.raw.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		n, err = 0, fmt.Errorf("%w: the object goes on after its end", objects.ErrUnavailable)
	case err == nil:
		b.attempt.timer.Stop() // the reader may take its time before it reads on
		return n, nil
	case err == io.EOF && b.left == 0:
		b.err = io.EOF
		return n, io.EOF
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		err = errCut
	default:
		err = classify(b.attempt.cause(err))
	}
	b.err = b.store.fail("reading", err)
	return n, b.err
}

// Close gives the connection back if all was read, and else ends it.
func (b *body) Close() error {
	err := b.raw.Close()
	b.attempt.end()
	if b.err == nil {
		b.err = errClosed
	}
	return err
}

var errClosed = errors.New("the object was closed")

// Stat describes a version.
func (s *Store) Stat(ctx context.Context, key, version string) (objects.Info, error) {
	info, err := s.stat(ctx, key, version)
	if err != nil {
		return objects.Info{}, s.fail("describing", err)
	}
	return info, nil
}

func (s *Store) stat(ctx context.Context, key, version string) (objects.Info, error) {
	if err := s.checkVersioned(key, version); err != nil {
		return objects.Info{}, err
	}
	var info objects.Info
	err := s.do(ctx, func(a *attempt) error {
		stat, err := s.client.StatObject(a.ctx, s.cfg.Bucket, key, minio.StatObjectOptions{VersionID: version})
		if stat.IsDeleteMarker {
			return fmt.Errorf("%w: a marker is in its place", objects.ErrNotFound)
		}
		if answer, ok := answered(err); ok &&
			(answer.Status == http.StatusBadRequest || answer.Status == http.StatusNotFound) {
			return s.askWhy(a, key, version)
		}
		if err != nil {
			return missing(err, version)
		}
		if info, err = s.info(key, stat); err == nil && version != "" && info.Version != version {
			err = fmt.Errorf("%w: the store describes another version than it was asked for", objects.ErrDamaged)
		}
		return err
	})
	if err == nil && s.cfg.Versioned && info.RetainUntil.IsZero() && !info.Held {
		info.RetainUntil, info.Held, err = s.lockOf(ctx, key, info.Version)
	}
	return info, err
}

// askWhy reads an object for the error that an answer to HEAD has no body to say: 404 may be about the object, the
// bucket or the access key.
func (s *Store) askWhy(a *attempt, key, version string) error {
	raw, _, _, err := s.client.GetObject(a.ctx, s.cfg.Bucket, key, minio.GetObjectOptions{VersionID: version})
	if err != nil {
		return missing(err, version)
	}
	raw.Close()
	return errors.New("the store gives an object that it has just refused to describe")
}

// checkVersioned checks a key and the version given with it.
func (s *Store) checkVersioned(key, version string) error {
	if err := objects.CheckKey(key); err != nil {
		return err
	}
	if version != "" && (!s.cfg.Versioned || strings.Contains(version, "..") ||
		strings.ContainsFunc(version, func(r rune) bool { return r <= ' ' || r > '~' })) {
		return fmt.Errorf("%w: no such version", objects.ErrNotFound)
	}
	return nil
}

// missing gives ErrNotFound for the several ways in which stores say that there is no such version: an id that cannot
// be one is an invalid argument, and a marker in its place is 405.
func missing(err error, version string) error {
	answer, ok := answered(err)
	if ok && version != "" && answer.Signed && (answer.Code == codeArgument || answer.Code == codeMethod) {
		return fmt.Errorf("%w: %w", objects.ErrNotFound, answer)
	}
	return err
}

// info describes an object by the headers of an answer about it.
func (s *Store) info(key string, stat minio.ObjectInfo) (objects.Info, error) {
	info := objects.Info{
		Key: key, Version: stat.VersionID, Size: stat.Size, Tag: stat.ETag, Modified: stat.LastModified.UTC(),
		Held: strings.EqualFold(stat.Headers.Get("X-Amz-Object-Lock-Legal-Hold"), "ON"),
	}
	if until := stat.Headers.Get("X-Amz-Object-Lock-Retain-Until-Date"); until != "" {
		end, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return objects.Info{}, errors.New("the store gives no readable end of a lock")
		}
		info.RetainUntil = wholeSecond(end)
	}
	if info.Tag == "" {
		return objects.Info{}, errors.New("the store gives no ETag")
	}
	return info, s.checkVersion(&info)
}

// checkVersion holds an answer against the kind of the bucket. A bucket whose versioning was turned off keeps nothing.
func (s *Store) checkVersion(info *objects.Info) error {
	if !s.cfg.Versioned {
		info.Version = ""
		return nil
	}
	if info.Version == "" || info.Version == "null" {
		return fmt.Errorf("%w: the bucket has lost its versioning", objects.ErrUnavailable)
	}
	return nil
}
