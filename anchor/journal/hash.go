package journal

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 digest: of a leaf's entry, or a node of the tree (RFC 6962, section 2.1). It prints and marshals as
// standard base64.
type Hash = tlog.Hash

// NonceSize is the length of the random nonce that hides a body from who sees its leaf only.
const NonceSize = 16

// entryHash is the leaf's entry: what the tree hashes, and what a log tile's entry bundle holds.
func entryHash(nonce [NonceSize]byte, body []byte) Hash {
	h := sha256.New()
	h.Write(nonce[:])
	h.Write(body)
	var out Hash
	h.Sum(out[:0])
	return out
}

// leafHash is the tree's hash of an entry: SHA-256(0x00 ‖ entry).
func leafHash(entry Hash) Hash { return tlog.RecordHash(entry[:]) }

// rootOf is the Merkle tree hash over nodes that are perfect subtrees of one size, but for the last, which may be
// smaller.
func rootOf(nodes []Hash) Hash {
	if len(nodes) == 1 {
		return nodes[0]
	}
	split := 1
	for split*2 < len(nodes) {
		split *= 2
	}
	return tlog.NodeHash(rootOf(nodes[:split]), rootOf(nodes[split:]))
}
