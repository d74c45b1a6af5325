package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"muniment/anchor/journal"
)

// ErrUnknownKey says that a token is no API key of ours, or one that was revoked.
var ErrUnknownKey = errors.New("unknown API key")

const (
	digestSize = sha256.Size
	// keyRow is how much of the digest is the row's key. The rest is compared in constant time.
	keyRow = digestSize / 2
)

// Authenticate says for whom an API key speaks, or ErrUnknownKey. It takes the same time for a wrong second half of the
// digest as for a right one; nobody can choose digests byte by byte anyway, as they are those of SHA-256.
func Authenticate(r journal.Reader, token string) (Who, error) {
	key, ok := parseKey(token)
	if !ok {
		return Who{}, ErrUnknownKey
	}
	digest := key.Digest()
	row, ok, err := apiKeys.Get(r, digest[:keyRow])
	if err != nil {
		return Who{}, fmt.Errorf("looking up an API key: %w", err)
	}
	if !ok || subtle.ConstantTimeCompare(row.Digest, digest[:]) != 1 {
		return Who{}, ErrUnknownKey
	}
	p, ok, err := principals.Get(r, row.Principal[:])
	if err != nil {
		return Who{}, fmt.Errorf("looking up a principal: %w", err)
	}
	if !ok {
		return Who{}, ErrUnknownKey
	}
	return Who{Tenant: p.Tenant, Principal: row.Principal}, nil
}
