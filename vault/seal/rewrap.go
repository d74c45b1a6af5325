package seal

import (
	"errors"
	"math"
)

// Wrapped is the wrapped payload of a sealed row, as the key service gave it: its prefix names the version of the
// tenant's key. ErrRow, ErrNewer.
func Wrapped(row []byte) (string, error) {
	wrapped, _, err := parseRow(row)
	return string(wrapped), err
}

// Rewrap puts the same payload, wrapped anew, into the place of a row's wrapped payload. The text of the row stays as
// it is: its key lies in the payload, which does not change. The row that is passed is not changed. ErrRow, ErrNewer.
func Rewrap(row []byte, wrapped string) ([]byte, error) {
	_, text, err := parseRow(row)
	if err != nil {
		return nil, err
	}
	if len(wrapped) == 0 || len(wrapped) > math.MaxInt32 {
		return nil, errors.New("rewrapping a sealed row: the key service gave nothing, or too much, to put into it")
	}
	return formatRow([]byte(wrapped), text), nil
}
