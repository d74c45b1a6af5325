package journal

import (
	"errors"
	"fmt"
)

// Limits of rows. They hold for every backend, so that one commit's row cannot fail the transaction of the whole group.
const (
	MaxKey   = 1 << 10 // bytes of a key, or of a token
	MaxValue = 1 << 20 // bytes of a value
	// maxSealed bounds the sealed rows of one change, in bytes: a change is shipped whole.
	maxSealed = 8 << 20
)

// ErrRow says that a row has an empty or too long key or value.
var ErrRow = fmt.Errorf("a row's key is not of 1 to %d bytes, or its value not of 1 to %d", MaxKey, MaxValue)

// errNotProjection refuses a reducer's write to a table that is not a projection.
var errNotProjection = errors.New("a reducer writes to projections only")

// checkKey and checkValue refuse a row beyond the limits.
func checkKey(key []byte) error {
	if len(key) == 0 || len(key) > MaxKey {
		return ErrRow
	}
	return nil
}

func checkValue(value []byte) error {
	if len(value) == 0 || len(value) > MaxValue {
		return ErrRow
	}
	return nil
}
