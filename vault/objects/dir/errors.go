package dir

import (
	"errors"
	"fmt"
	"syscall"

	"muniment/vault/objects"
)

// fail names the store and the act, and gives errors of the file system their sentinel.
func fail(doing string, err error) error {
	return fmt.Errorf("object folder: %s: %w", doing, classify(err))
}

// classify wraps an error of the operating system in the sentinel that says what a caller can do about it. The errno
// stays visible to errors.Is. Errors that have a sentinel already, and a body's own errors, stay as they are.
func classify(err error) error {
	var body bodyError
	var errno syscall.Errno
	switch {
	case errors.As(err, &body), !errors.As(err, &errno), errors.Is(err, objects.ErrNotFound),
		errors.Is(err, objects.ErrUnavailable):
		return err
	case errno == syscall.ENOSPC, errno == syscall.EDQUOT:
		return fmt.Errorf("%w: %w", objects.ErrFull, err)
	default:
		return fmt.Errorf("%w: %w", objects.ErrUnavailable, err)
	}
}

// bodyError marks an error that came out of the caller's reader: its errno, if it has one, is not ours.
type bodyError struct{ err error }

func (e bodyError) Error() string { return "reading the body: " + e.err.Error() }
func (e bodyError) Unwrap() error { return e.err }
