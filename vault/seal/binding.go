package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"muniment/anchor/journal"
	"muniment/vault/keys"
)

const (
	documentFormat   = "muniment document v1"
	rowFormat        = "muniment row v1"
	commitmentFormat = "muniment content v1"
)

// Binding says whose content a ciphertext is: format, tenant and document id, each behind its length as four bytes, big
// endian. It is the associated data of the document's content, and of its sealed row.
func Binding(tenant string, doc journal.ID) []byte {
	return fields([]byte(documentFormat), []byte(tenant), doc[:])
}

// RowBinding is the binding of a sealed row that is not a document's: a reason, a justification, a display name. kind
// keeps rows of several kinds about the same id apart.
func RowBinding(tenant, kind string, id []byte) []byte {
	return fields([]byte(rowFormat), []byte(tenant), []byte(kind), id)
}

// Commitment is what stands in the log for a document's content: HMAC-SHA-256 (RFC 2104) under the document's salt, of
// "muniment content v1" and the content's SHA-256. Without the salt, which dies with the document, nobody can try
// contents.
func Commitment(salt keys.Secret, contentSHA256 [32]byte) [32]byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(commitmentFormat))
	mac.Write(contentSHA256[:])
	return [32]byte(mac.Sum(nil))
}

// fields joins byte strings so that no two lists give the same bytes.
func fields(list ...[]byte) []byte {
	size := 0
	for _, f := range list {
		size += 4 + len(f)
	}
	out := make([]byte, 0, size)
	for _, f := range list {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return out
}

// split undoes fields: it fills list and says whether the bytes were exactly that many fields.
func split(in []byte, list ...*[]byte) bool {
	for _, f := range list {
		if len(in) < 4 {
			return false
		}
		n := uint64(binary.BigEndian.Uint32(in))
		in = in[4:]
		if uint64(len(in)) < n {
			return false
		}
		*f, in = in[:n:n], in[n:]
	}
	return len(in) == 0
}
