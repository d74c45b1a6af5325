package vault

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"

	"muniment/vault/access"
	"muniment/vault/keys"
)

// cursorMAC is the length of a cursor's authentication, in bytes.
const cursorMAC = 16

// newCursor says where a listing goes on: a place among the deposits, authenticated for the principal and the query, so
// that it cannot be forged or taken elsewhere.
func newCursor(key keys.Secret, who access.Who, q *Query, place []byte) (string, error) {
	mac, err := cursorOf(key, who, q, place)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(append([]byte(nil), place...), mac...)), nil
}

// readCursor returns the place that a cursor names; ErrCursor if it is not one of this principal's and query's.
func readCursor(key keys.Secret, who access.Who, q *Query) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	if err != nil || len(raw) != placeSize+cursorMAC {
		return nil, ErrCursor
	}
	place := raw[:placeSize]
	mac, err := cursorOf(key, who, q, place)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(mac, raw[placeSize:]) {
		return nil, ErrCursor
	}
	return place, nil
}

func cursorOf(key keys.Secret, who access.Who, q *Query, place []byte) ([]byte, error) {
	filter := *q
	filter.Cursor, filter.Limit = "", 0
	filter.After, filter.Before = q.After.UTC(), q.Before.UTC()
	raw, err := json.Marshal(filter)
	if err != nil {
		return nil, errors.New("making a cursor: the query cannot be written as JSON")
	}
	return keyed(key, labelCursor, who.Principal[:], raw, place)[:cursorMAC], nil
}
