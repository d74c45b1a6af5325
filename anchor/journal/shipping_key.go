package journal

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrKeysUnavailable says that the key service cannot unwrap the shipping key now. A journal that agrees with the
// released head then starts provisionally.
var ErrKeysUnavailable = errors.New("the shipping key cannot be unwrapped now")

// errUnauthentic says that something is not authenticated by this journal's shipping key: somebody else wrote it, or it
// was changed since.
var errUnauthentic = fmt.Errorf("it is not authenticated by this journal's shipping key: %w", ErrDamaged)

// ShippingKeys wraps the key that authenticates what a journal ships. It is a key of the key service's own, never a
// tenant's, so that no trim of a tenant's key can reach it.
type ShippingKeys interface {
	// Wrap encrypts a secret; the result is printable ASCII.
	Wrap(ctx context.Context, secret []byte) (wrapped string, err error)
	// Unwrap decrypts what Wrap gave. An error that wraps ErrKeysUnavailable says that it cannot be told now whether
	// that can be unwrapped; any other, that it cannot.
	Unwrap(ctx context.Context, wrapped string) (secret []byte, err error)
}

// shippingKeySize is the length of a shipping key, in bytes.
const shippingKeySize = 32

// macSize is the length of an HMAC-SHA-256, in bytes.
const macSize = sha256.Size

// shippingKey authenticates what a journal ships and the heads of its log, by HMAC-SHA-256 (RFC 2104). The keys of a
// journal are numbered from 1; 0 is the local key of a provisional start.
type shippingKey struct {
	number int
	secret []byte
}

// Format hides the key from every verb.
func (*shippingKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[shipping key]") }

// Purposes keep what is authenticated for one use from being taken for another.
const (
	macBatch   = "batch"
	macHead    = "released head"
	macHeadRow = "head row"
	macKept    = "kept"
)

// mac is the HMAC of data for a purpose.
func (k *shippingKey) mac(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte("muniment "))
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(data)
	return h.Sum(nil)
}

// verify compares an HMAC in constant time: errUnauthentic.
func (k *shippingKey) verify(purpose string, data, mac []byte) error {
	if !hmac.Equal(k.mac(purpose, data), mac) {
		return errUnauthentic
	}
	return nil
}

// shippingMagic begins what is wrapped: it names format and purpose. The journal id, the key's number in 32 bits and
// the key follow, so that what another journal, or another purpose, has wrapped is never taken for this key.
const shippingMagic = "muniment shipping key 1\n"

// payload is what the key service wraps.
func (k *shippingKey) payload(journal ID) []byte {
	out := append([]byte(shippingMagic), journal[:]...)
	out = binary.BigEndian.AppendUint32(out, uint32(k.number))
	return append(out, k.secret...)
}

// parseShippingKey reads what was unwrapped.
func parseShippingKey(payload []byte) (journal ID, k *shippingKey, err error) {
	rest, ok := bytes.CutPrefix(payload, []byte(shippingMagic))
	if !ok || len(rest) != len(journal)+4+shippingKeySize {
		return journal, nil, errors.New("what was unwrapped is not a shipping key")
	}
	copy(journal[:], rest)
	rest = rest[len(journal):]
	return journal, &shippingKey{number: int(binary.BigEndian.Uint32(rest)), secret: bytes.Clone(rest[4:])}, nil
}

// macMember is how long the member "mac" at the end of authenticated JSON is: `,"mac":"` and 32 bytes in base64, `"}`.
const macMember = len(`,"mac":""}`) + 44

// appendMAC adds the HMAC of a JSON object to it, as its last member "mac". It covers all bytes before that member.
func (k *shippingKey) appendMAC(purpose string, object []byte) []byte {
	covered := object[:len(object)-1]
	out := append(make([]byte, 0, len(covered)+macMember), covered...)
	out = append(out, `,"mac":"`...)
	out = base64.StdEncoding.AppendEncode(out, k.mac(purpose, covered))
	return append(out, `"}`...)
}

// splitMAC takes authenticated JSON apart: what the HMAC covers, and the HMAC.
func splitMAC(object []byte) (covered, mac []byte, err error) {
	if len(object) < macMember {
		return nil, nil, errUnauthentic
	}
	covered, member := object[:len(object)-macMember], object[len(object)-macMember:]
	text, begins := bytes.CutPrefix(member, []byte(`,"mac":"`))
	text, ends := bytes.CutSuffix(text, []byte(`"}`))
	mac, err = base64.StdEncoding.Strict().DecodeString(string(text))
	if !begins || !ends || err != nil {
		return nil, nil, errUnauthentic
	}
	return covered, mac, nil
}
