// Package invalid says which field of a request is wrong, and how.
package invalid

import "errors"

// ErrField says that a field of a request is not what it must be. Field says which.
var ErrField = errors.New("bad metadata")

// Field names the field of a request that is wrong, and what is wrong with it. It never holds the field's value. It
// wraps ErrField.
type Field struct {
	Name   string // as the API names it: "file_name", "attributes", …
	Reason string // "has a path separator"
}

// Error names field and reason.
func (e *Field) Error() string { return ErrField.Error() + ": " + e.Name + " " + e.Reason }

// Unwrap is ErrField.
func (e *Field) Unwrap() error { return ErrField }
