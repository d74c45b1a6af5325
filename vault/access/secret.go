package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
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

// Fingerprint is how people name an API key to each other: the first 16 hexadecimal digits of its SHA-256, in groups of
// four. Nobody can make another key with the same one on purpose within reach of 2^64 trials.
type Fingerprint string

// FingerprintOf is that of the API key with a SHA-256 digest.
func FingerprintOf(digest []byte) Fingerprint {
	text := hex.EncodeToString(digest[:fingerprintSize])
	var groups []string
	for ; text != ""; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return Fingerprint(strings.Join(groups, " "))
}

// fingerprintSize is how many bytes of the digest a fingerprint shows.
const fingerprintSize = 8

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

// Fingerprint is the key's.
func (k APIKey) Fingerprint() Fingerprint {
	d := k.Digest()
	return FingerprintOf(d[:])
}

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

// codePrefix starts every one-time code.
const codePrefix = "mun_once_"

// codeSize is the number of random bytes in a one-time code.
const codeSize = 20

// Code is a one-time code in the clear, by which one person claims an API key: "mun_once_" and 32 characters of
// lower-case base32. It prints as "[secret]" whatever the verb, and marshals as nothing else.
type Code struct{ text string }

// NewCode draws a code of 160 random bits.
func NewCode(rand io.Reader) (Code, error) {
	var raw [codeSize]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return Code{}, fmt.Errorf("drawing a one-time code: %w", err)
	}
	return Code{codePrefix + keyEncoding.EncodeToString(raw[:])}, nil
}

// ParseCode reads a code as somebody has entered it, or says that it is none.
func ParseCode(text string) (Code, bool) {
	rest, ok := strings.CutPrefix(text, codePrefix)
	if !ok || len(rest) != keyEncoding.EncodedLen(codeSize) {
		return Code{}, false
	}
	if _, err := keyEncoding.DecodeString(rest); err != nil {
		return Code{}, false
	}
	return Code{text}, true
}

// Reveal returns the code itself, for the one time that it is shown.
func (c Code) Reveal() string { return c.text }

// IsZero says whether there is no code.
func (c Code) IsZero() bool { return c.text == "" }

// String hides the code.
func (Code) String() string { return "[secret]" }

// GoString hides the code.
func (Code) GoString() string { return "[secret]" }

// Format hides the code under every verb.
func (Code) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// MarshalText hides the code.
func (Code) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Digest is what is stored of a code: SHA-256 over its text.
func (c Code) Digest() [sha256.Size]byte { return sha256.Sum256([]byte(c.text)) }

// equal compares in constant time.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
