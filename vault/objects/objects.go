// Package objects is the contract for what keeps the ciphertext: a versioned, lockable object store in the manner of
// S3. A conformance suite (package objectstest) runs over every implementation.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

var (
	// ErrNotFound says that there is no such object or version.
	ErrNotFound = errors.New("no such object")
	// ErrExists says that a conditional Put found an object, or one with another tag.
	ErrExists = errors.New("the object exists already or has changed")
	// ErrLocked says that the version is under a retention lock or legal hold.
	ErrLocked = errors.New("the object version is locked")
	// ErrFull says that the store has no room. Nothing was written.
	ErrFull = errors.New("the object store is full")
	// ErrUnavailable says that the store cannot be reached or answers wrongly now. A retry may help.
	ErrUnavailable = errors.New("the object store is not available")
	// ErrShort says that a body ended before, or went on after, its announced length. Nothing was stored.
	ErrShort = errors.New("the body does not have the length announced")
	// ErrTooLarge says that a body has more bytes than the store can take. Nothing was stored.
	ErrTooLarge = errors.New("the body is larger than the object store can take")
	// ErrKey says that a key is none that a store may use.
	ErrKey = errors.New("not an object key")
	// ErrSpan says that a span is empty or reaches outside of the object.
	ErrSpan = errors.New("the span is not within the object")
	// ErrDamaged says that what the store holds is not what was put there: cut short, or its description unreadable.
	ErrDamaged = errors.New("the stored object is damaged")
)

// Condition is what a Put demands of the present state of its key.
type Condition struct {
	// Absent demands that the key has no object (If-None-Match: *).
	Absent bool
	// Tag demands that the newest version has this tag (If-Match). Empty demands nothing.
	Tag string
}

// PutOptions say how to store a body.
type PutOptions struct {
	Length      int64 // exact, or -1 when it is not known beforehand
	Condition   Condition
	RetainUntil time.Time // zero: no retention lock at upload; else in force when Put returns
	// Owner is on whose account the store holds the body in memory, so that it is shared out fairly.
	Owner string
}

// Info describes one version of an object.
type Info struct {
	Key         string
	Version     string // empty in a store without versions
	Size        int64
	Tag         string // opaque; never empty; changes with the content
	Modified    time.Time
	RetainUntil time.Time // zero: never locked; UTC, whole seconds, rounded up
	Held        bool      // legal hold
}

// Span is a range of bytes. It is never empty.
type Span struct {
	Offset, Length int64
}

// Check returns ErrSpan unless the span lies within an object of the size given.
func (s Span) Check(size int64) error {
	if s.Offset < 0 || s.Length < 1 || s.Length > size || s.Offset > size-s.Length {
		return fmt.Errorf("%w: offset %d, length %d, size %d", ErrSpan, s.Offset, s.Length, size)
	}
	return nil
}

// Store keeps objects. Its methods may be called concurrently, also by several processes on one store. Keys are those
// that [CheckKey] passes; any other is ErrKey. Errors wrap one of the sentinels above where one fits, name the store,
// and carry nothing of a body.
//
// A store without versions keeps one state of each key, which the next Put replaces. It has no locks: a RetainUntil,
// Retain and Hold are refused with [errors.ErrUnsupported].
type Store interface {
	// Put stores the body under key as a new version, durably when it returns nil. An error of the reader,
	// io.ErrUnexpectedEOF and context cancellation included, stores nothing and is wrapped in the returned error.
	// ErrExists when the condition does not hold; conditional Puts of one key are atomic among all writers. ErrShort,
	// ErrFull, ErrTooLarge and ErrExists say for sure that nothing was stored; after ErrUnavailable it may have been.
	Put(ctx context.Context, key string, body io.Reader, opt PutOptions) (Info, error)
	// Get opens a version (the newest when version is empty), whole or one span of it; the caller closes it. A body
	// that ends early gives a read error, never a clean io.EOF. A span outside of the object is ErrSpan. ctx governs
	// the reading of the body too: once it ends, reads fail.
	Get(ctx context.Context, key, version string, span *Span) (io.ReadCloser, Info, error)
	// Stat describes a version (the newest when version is empty).
	Stat(ctx context.Context, key, version string) (Info, error)
	// Delete removes one version for good, and the one before it becomes the newest; in a store without versions,
	// version is empty, and in one with versions it must not be (it would add a marker and remove nothing). ErrLocked
	// while a retention lock or a hold stands. It is no error if the version is gone, so Delete can be repeated until
	// it succeeds.
	Delete(ctx context.Context, key, version string) error
	// Retain extends the version's retention lock. ErrLocked for a date before the present one.
	Retain(ctx context.Context, key, version string, until time.Time) error
	// Hold sets or lifts the version's legal hold.
	Hold(ctx context.Context, key, version string, on bool) error
	// List yields every version of every key with the prefix that sorts after the key given, in the byte order of keys,
	// the versions of one key newest first. An error ends it. Objects that are put or deleted meanwhile may be left
	// out. A store may not know of locks and holds here: RetainUntil and Held say something only where they are set,
	// and Stat has them.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
	// Check says whether the store can be written and read now.
	Check(ctx context.Context) error
}

// Tidier is a store that keeps what uploads have sent until they end, as S3 keeps the parts of a multipart upload.
type Tidier interface {
	// TidyUploads forgets the uploads of keys with the prefix that began before the time given and never ended.
	TidyUploads(ctx context.Context, prefix string, before time.Time) error
}
