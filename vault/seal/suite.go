// Package seal encrypts what the vault keeps: documents, as streams that can be read in parts, and sealed rows, each
// under a key of its own that the tenant's key wraps.
//
// Documents are Tink streaming AEAD, written by Tink itself. They are read by a [Decoder] of our own, because Tink's
// reader cannot seek; tests hold the two to the same answers. Nothing here holds a key for longer than a call or a
// value lives.
package seal

import (
	"errors"
	"fmt"
	"math"
)

var (
	// ErrCiphertext says that a document's ciphertext is not what was written under this keyset and binding: it is
	// damaged, cut, reordered, or another document's.
	ErrCiphertext = errors.New("the ciphertext is damaged, cut short, or another document's")
	// ErrKeyset says that a content keyset is not one that this package makes.
	ErrKeyset = errors.New("not a content keyset of a known suite")
	// ErrSpan says that a span reaches outside of the document.
	ErrSpan = errors.New("the span reaches outside of the document")
)

// Suite names how a document's content is encrypted: a Tink streaming AEAD with its parameters.
type Suite string

// The suites. All have 256-bit keys and derive a key for each ciphertext with HKDF-SHA-256 from a random salt; they
// differ in the cipher of the segments and in the segments' size. "FIPS 140-only" is GODEBUG=fips140=only: GCM-HKDF
// does not run there, as its nonces are not drawn inside the cryptographic module.
const (
	GCMSmall Suite = "AES256_GCM_HKDF_16KB"
	GCMLarge Suite = "AES256_GCM_HKDF_1MB"
	CTRSmall Suite = "AES256_CTR_HMAC_SHA256_16KB"
	CTRLarge Suite = "AES256_CTR_HMAC_SHA256_1MB"
)

const (
	smallSegment = 16 << 10
	largeSegment = 1 << 20
	// smallUpTo is the longest document that gets small segments: the longest that the vault verifies whole before it
	// serves a byte.
	smallUpTo = 1 << 20

	keySize    = 32 // of the main key and of the derived AES key
	prefixSize = 7  // of the nonces
	headerSize = 1 + keySize + prefixSize
	gcmTag     = 16
	ctrTag     = 32
)

// SuiteFor chooses the suite for a document of the length given in bytes, -1 if it is not known beforehand: small
// segments for small documents, so that a letter does not cost megabytes of buffers. fips asks for one that runs under
// GODEBUG=fips140=only.
func SuiteFor(length int64, fips bool) Suite {
	small := length >= 0 && length <= smallUpTo
	switch {
	case fips && small:
		return CTRSmall
	case fips:
		return CTRLarge
	case small:
		return GCMSmall
	default:
		return GCMLarge
	}
}

// layout says where the segments lie. The ciphertext is a header and segments; the header counts into the first, so
// that ciphertext segment i, but for the header, is [i*segment, (i+1)*segment). The last one may be shorter.
type layout struct {
	segment int64 // bytes of ciphertext in a full segment, its tag included
	tag     int64
}

func (s Suite) layout() (layout, error) {
	switch s {
	case GCMSmall:
		return layout{smallSegment, gcmTag}, nil
	case GCMLarge:
		return layout{largeSegment, gcmTag}, nil
	case CTRSmall:
		return layout{smallSegment, ctrTag}, nil
	case CTRLarge:
		return layout{largeSegment, ctrTag}, nil
	default:
		return layout{}, fmt.Errorf("%w: %q", ErrKeyset, string(s))
	}
}

// first is the plaintext of a full first segment, rest that of any other full segment.
func (l layout) first() int64 { return l.segment - headerSize - l.tag }
func (l layout) rest() int64  { return l.segment - l.tag }

func (l layout) ciphertextSize(n int64) int64 {
	if n <= l.first() {
		return headerSize + n + l.tag
	}
	n -= l.first()
	return l.segment + n + (n+l.rest()-1)/l.rest()*l.tag
}

func (l layout) plaintextSize(c int64) (int64, error) {
	if c < headerSize+l.tag {
		return 0, fmt.Errorf("%w: %d bytes are too few", ErrCiphertext, c)
	}
	segments := (c-1)/l.segment + 1
	if segments > math.MaxUint32 {
		return 0, fmt.Errorf("%w: %d bytes are too many", ErrCiphertext, c)
	}
	if segments > 1 && c-(segments-1)*l.segment <= l.tag {
		return 0, fmt.Errorf("%w: it cannot be %d bytes long", ErrCiphertext, c)
	}
	return c - headerSize - segments*l.tag, nil
}

// CiphertextSize is the exact size of the ciphertext of n bytes. A length that is not known (-1) stays so. The suite
// must be one of this package's.
func (s Suite) CiphertextSize(n int64) int64 {
	l, err := s.layout()
	if err != nil {
		panic("seal: ciphertext size asked of an unknown suite")
	}
	if n < 0 {
		return -1
	}
	return l.ciphertextSize(n)
}

// PlaintextSize is how many bytes a ciphertext of c bytes holds. ErrCiphertext if no ciphertext has that size.
func (s Suite) PlaintextSize(c int64) (int64, error) {
	l, err := s.layout()
	if err != nil {
		return 0, err
	}
	return l.plaintextSize(c)
}
