package journal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	headObject  = "head"
	headVersion = 1

	// defaultTail is some ten to twenty deposits: enough to make batches rare under load, and little to write again
	// each time.
	defaultTail = 64 << 10
)

// releasedHead is the head object in the release bucket.
type releasedHead struct {
	V            int    `json:"v"`
	Journal      ID     `json:"journal"`
	Origin       string `json:"origin"`
	Size         uint64 `json:"size"`
	Root         Hash   `json:"root"`
	LastBatch    string `json:"lastBatch"`
	PrevHeadHash Hash   `json:"prevHeadHash"` // SHA-256 of the head object before; zero for the first
	Tenure       ID     `json:"tenure"`       // of those who may replace it, as the lease names it
	// Auth is the index of the newest event about principals, keys and grants.
	Auth *uint64 `json:"auth,omitempty"`
	Key  int     `json:"key"` // the number of the shipping key that authenticates the head
	// Tail is the batch that follows LastBatch and ends at Size; empty when LastBatch itself ends there. The member
	// "mac" follows at the end.
	Tail []byte `json:"tail,omitempty"`

	raw  []byte // as it stands in the bucket
	tag  string // its tag there
	tail *batch // Tail, read
}

// batch is a batch that was read.
type batch struct {
	header batchHeader
	items  []batchItem
}

// readReleased reads the head object; nil when there is none. It is errUnauthentic if the shipping key does not
// authenticate it.
func readReleased(ctx context.Context, b shipped) (*releasedHead, error) {
	raw, tag, err := b.Get(ctx, headObject)
	if errors.Is(err, ErrNoObject) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the released head: %w", err)
	}
	return b.authentic(ctx, raw, tag)
}

// authentic reads a head object that must be authenticated by the shipping key, unless there is no keyring.
func (b shipped) authentic(ctx context.Context, raw []byte, tag string) (*releasedHead, error) {
	h, err := parseReleased(raw, tag)
	if err != nil || b.keys == nil {
		return h, err
	}
	covered, mac, err := splitMAC(raw)
	if err == nil {
		err = b.keys.verify(ctx, h.Key, macHead, covered, mac)
	}
	if err == nil && b.keys.id() != h.Journal {
		err = fmt.Errorf("it is of the journal %s, not %s: %w", h.Journal, b.keys.id(), errUnauthentic)
	}
	if err != nil {
		return nil, fmt.Errorf("the released head: %w", err)
	}
	return h, nil
}

// parseReleased reads a head object and its tail, which must lead to the head's size and root. It does not look whether
// they are authentic.
func parseReleased(raw []byte, tag string) (*releasedHead, error) {
	h := &releasedHead{raw: raw, tag: tag}
	if err := json.Unmarshal(raw, h); err != nil {
		return nil, fmt.Errorf("the released head cannot be read: %w", ErrDamaged)
	}
	if h.V > headVersion {
		return nil, fmt.Errorf("the released head is of format %d, this program knows %d: a newer program is needed",
			h.V, headVersion)
	}
	if !h.Journal.isV7() {
		return nil, fmt.Errorf("the released head names no journal: %w", ErrDamaged)
	}
	if h.Tail == nil {
		return h, nil
	}
	header, items, err := parseBatch(h.Tail)
	if err != nil || header.First+header.Count != h.Size || header.Root != h.Root || header.Prev != h.LastBatch ||
		header.Key != h.Key {
		return nil, fmt.Errorf("the tail of the released head is not a batch that leads to it: %w", ErrDamaged)
	}
	h.tail = &batch{header, items}
	return h, nil
}

// encode sets version and key number, and writes the object, authenticated by the key, into raw.
func (h *releasedHead) encode(key *shippingKey) error {
	h.V, h.Key = headVersion, key.number
	object, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing the released head: %w", err)
	}
	h.raw = key.appendMAC(macHead, object)
	return nil
}

// hash is the value of PrevHeadHash in the next head.
func (h *releasedHead) hash() Hash {
	if h.raw == nil {
		return Hash{}
	}
	return sha256.Sum256(h.raw)
}
