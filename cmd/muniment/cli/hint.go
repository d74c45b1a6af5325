package cli

import "errors"

// hintedError is an error with what to do next.
type hintedError struct {
	err  error
	next string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// Hint adds what to do next to an error.
func Hint(err error, next string) error { return &hintedError{err, next} }

// HintOf is what to do next about an error, by the outermost hint; false if it has none.
func HintOf(err error) (next string, ok bool) {
	var hinted *hintedError
	if !errors.As(err, &hinted) {
		return "", false
	}
	return hinted.next, true
}

// ErrUnauthenticated says that everything was checked and found whole, but not authenticated: the key service, which
// alone can tell whether this program wrote it, could not be asked. It has an exit code of its own.
var ErrUnauthenticated = errors.New("checked, not authenticated: the key service could not be asked")
