package access

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"strings"
)

// keyPrefix starts every API key, so that scanners of source code and logs can recognize a leaked one.
const keyPrefix = "mun_"

// keySize is the number of random bytes in an API key.
const keySize = 32

var keyEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// APIKey is a principal's API key in the clear: "mun_" and 52 characters of lower-case base32 (RFC 4648). It prints as
// "[secret]" whatever the verb, and marshals as nothing else.
type APIKey struct{ text string }

// NewAPIKey draws a key of 256 random bits.
func NewAPIKey(rand io.Reader) (APIKey, error) {
	var raw [keySize]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return APIKey{}, fmt.Errorf("drawing an API key: %w", err)
	}
	return APIKey{keyPrefix + keyEncoding.EncodeToString(raw[:])}, nil
}

// Reveal returns the key itself, for the one time that it is shown to its owner.
func (k APIKey) Reveal() string { return k.text }

// IsZero says whether there is no key.
func (k APIKey) IsZero() bool { return k.text == "" }

// String hides the key.
func (APIKey) String() string { return "[secret]" }

// GoString hides the key.
func (APIKey) GoString() string { return "[secret]" }

// Format hides the key under every verb, %x and %d included.
func (APIKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// MarshalText hides the key.
func (APIKey) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Digest is what is stored of a key: SHA-256 over its text. A key has 256 random bits, so it needs no salt and no
// stretching.
func (k APIKey) Digest() [sha256.Size]byte { return sha256.Sum256([]byte(k.text)) }

// parseKey reads a key as it stands in a request, or says that it is none.
func parseKey(token string) (APIKey, bool) {
	rest, ok := strings.CutPrefix(token, keyPrefix)
	if !ok || len(rest) != keyEncoding.EncodedLen(keySize) {
		return APIKey{}, false
	}
	if _, err := keyEncoding.DecodeString(rest); err != nil {
		return APIKey{}, false
	}
	return APIKey{token}, true
}
