package journal

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Authenticate is a stub.
func (j *Journal) Authenticate(purpose string, data []byte) (mac []byte, ok bool) {
	h := hmac.New(sha256.New, []byte("stub"+purpose+j.Origin()))
	h.Write(data)
	return h.Sum(nil), true
}
