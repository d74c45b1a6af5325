package journal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	headObject = "head"
	// The versions of the head object: one with a tail cannot be read by a program that does not know of tails.
	headPlain = 1
	headTail  = 2

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
	// Tail is the batch that follows LastBatch and ends at Size; empty when LastBatch itself ends there.
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

// readReleased reads the head object; nil when there is none.
func readReleased(ctx context.Context, b Bucket) (*releasedHead, error) {
	raw, tag, err := b.Get(ctx, headObject)
	if errors.Is(err, ErrNoObject) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the released head: %w", err)
	}
	return parseReleased(raw, tag)
}

// parseReleased reads a head object and its tail, which must lead to the head's size and root.
func parseReleased(raw []byte, tag string) (*releasedHead, error) {
	h := &releasedHead{raw: raw, tag: tag}
	if err := json.Unmarshal(raw, h); err != nil {
		return nil, fmt.Errorf("the released head cannot be read: %w", ErrDamaged)
	}
	if h.V > headTail {
		return nil, fmt.Errorf("the released head is of format %d, this program knows %d: a newer program is needed",
			h.V, headTail)
	}
	if !h.Journal.isV7() {
		return nil, fmt.Errorf("the released head names no journal: %w", ErrDamaged)
	}
	if h.Tail == nil {
		return h, nil
	}
	header, items, err := parseBatch(h.Tail)
	if err != nil || header.First+header.Count != h.Size || header.Root != h.Root || header.Prev != h.LastBatch {
		return nil, fmt.Errorf("the tail of the released head is not a batch that leads to it: %w", ErrDamaged)
	}
	h.tail = &batch{header, items}
	return h, nil
}

// encode sets the version and writes the object into raw.
func (h *releasedHead) encode() (err error) {
	h.V = headPlain
	if h.Tail != nil {
		h.V = headTail
	}
	h.raw, err = json.Marshal(h)
	return err
}

// hash is the value of PrevHeadHash in the next head.
func (h *releasedHead) hash() Hash {
	if h.raw == nil {
		return Hash{}
	}
	return sha256.Sum256(h.raw)
}
