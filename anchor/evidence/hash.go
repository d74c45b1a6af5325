package evidence

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
)

// commitmentDomain keeps commitments apart from every other use of the same salt.
const commitmentDomain = "muniment content v1"

// LeafEntry is the 32-byte entry that the log holds for a body: SHA-256(nonce ‖ body). The tree's leaf hash over it is
// SHA-256(0x00 ‖ entry), as in RFC 6962, section 2.1.
func LeafEntry(nonce, body []byte) [HashSize]byte {
	h := sha256.New()
	h.Write(nonce)
	h.Write(body)
	return [HashSize]byte(h.Sum(nil))
}

// Commitment ties a document to its record without giving away the digest, from which a form with few unknowns could be
// guessed: HMAC-SHA-256(salt, "muniment content v1" ‖ digest), where digest is the content's SHA-256. It is 32 bytes
// long.
func Commitment(salt, digest []byte) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(commitmentDomain))
	mac.Write(digest)
	return mac.Sum(nil)
}

// Digest is the SHA-256 of a document of any size, which it reads to its end in constant memory.
func Digest(r io.Reader) ([]byte, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	return h.Sum(nil), nil
}
