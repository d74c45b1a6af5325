package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

const (
	headObject  = "head"
	headVersion = 1

	// defaultTail is some ten to twenty deposits: enough to make batches rare under load, and little to write again
	// each time.
	defaultTail = 64 << 10
)

// releasedHead is the head object in the release bucket: one line of JSON, which the HMAC at its end authenticates, and
// after it the tail, if there is one.
type releasedHead struct {
	V            int    `json:"v"`
	Journal      ID     `json:"journal"`
	Origin       string `json:"origin"`
	Size         uint64 `json:"size"`
	Root         Hash   `json:"root"`
	LastBatch    string `json:"lastBatch"`
	PrevHeadHash Hash   `json:"prevHeadHash"` // SHA-256 of the line of the head before; zero for the first
	Tenure       ID     `json:"tenure"`       // of those who may replace it, as the lease names it
	// Auth is the index of the newest event about principals, keys and grants.
	Auth *uint64 `json:"auth,omitempty"`
	Key  int     `json:"key"` // the number of the shipping key that authenticates the head
	// Tail says what follows the line: the batch that follows LastBatch and ends at Size. It is nil when LastBatch
	// itself ends there. The member "mac" follows at the end.
	Tail *headTail `json:"tail,omitempty"`

	raw  []byte // as it stands in the bucket
	line []byte // of raw
	tag  string // its tag there
	tail *tail
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
	covered, mac, err := splitMAC(h.line)
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

// parseReleased reads a head object and its tail, which must be what the head says and lead to its size. It does not
// look whether they are authentic.
func parseReleased(raw []byte, tag string) (*releasedHead, error) {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	h := &releasedHead{raw: raw, line: line, tag: tag}
	if err := json.Unmarshal(line, h); err != nil {
		return nil, fmt.Errorf("the released head cannot be read: %w", ErrDamaged)
	}
	if h.V > headVersion {
		return nil, fmt.Errorf("the released head is of format %d, this program knows %d: a newer program is needed",
			h.V, headVersion)
	}
	if !h.Journal.isV7() {
		return nil, fmt.Errorf("the released head names no journal: %w", ErrDamaged)
	}
	if err := h.parseTail(raw[len(line):]); err != nil {
		return nil, err
	}
	return h, nil
}

// encode sets version and key number, and what is said of the tail, and writes the object, authenticated by the key,
// into raw.
func (h *releasedHead) encode(key *shippingKey) error {
	h.V, h.Key, h.Tail = headVersion, key.number, nil
	if h.tail != nil {
		digest, err := h.tail.sum()
		if err != nil {
			return err
		}
		h.Tail = &headTail{First: h.tail.header.First, PrevRoot: h.tail.header.PrevRoot, Digest: digest}
	}
	object, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing the released head: %w", err)
	}
	h.line = key.appendMAC(macHead, object)
	h.raw = h.line
	if h.tail != nil {
		h.raw = slices.Concat(h.line, []byte("\n"), h.tail.raw)
	}
	return nil
}

// hash is the value of PrevHeadHash in the next head. The line says what the tail is.
func (h *releasedHead) hash() Hash {
	if h.raw == nil {
		return Hash{}
	}
	return sha256.Sum256(h.line)
}
