package journal

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
)

// headTail is what the line of a head object says of the batch that follows it. The batch begins at First and ends at
// the head's size and root.
type headTail struct {
	First    uint64 `json:"first"`    // index of the first entry
	PrevRoot Hash   `json:"prevRoot"` // of the tree before the first entry
	Digest   Hash   `json:"digest"`   // SHA-256 of the items, as they are written
}

// tail is a batch in a head object. The head's HMAC covers it by its digest, which is gone on with when items are
// appended: what a release costs depends on what it adds, not on what the head holds already.
type tail struct {
	header batchHeader
	items  []batchItem
	raw    []byte // the items, as they are written

	digest   hash.Cloner // of the first digested bytes of raw; nil for none
	digested int
}

// with is the tail with the items of a batch that follows it; a nil tail is an empty one. The tail itself stays as it
// is, for the swap of the head may fail.
func (t *tail) with(h batchHeader, items []batchItem) (next *tail, err error) {
	next = &tail{header: h, items: items}
	if t != nil {
		next.header.First, next.header.Prev, next.header.PrevRoot = t.header.First, t.header.Prev, t.header.PrevRoot
		next.header.Count += t.header.Count
		next.items = slices.Concat(t.items, items)
		if t.writesOneOf(items) {
			next.items = lastWrites(next.items)
			items = next.items
		} else {
			next.raw, next.digest, next.digested = slices.Clone(t.raw), t.digest, t.digested
		}
	}
	next.raw, err = appendItems(next.raw, items)
	return next, err
}

// writesOneOf says whether the tail has a write of a sealed row that the items given write too.
func (t *tail) writesOneOf(items []batchItem) bool {
	keys := map[string]bool{}
	for _, item := range items {
		if item.kind != 'e' {
			keys[string(item.key)] = true
		}
	}
	return slices.ContainsFunc(t.items, func(item batchItem) bool {
		return item.kind != 'e' && keys[string(item.key)]
	})
}

// sum is the digest of the items, as they are written.
func (t *tail) sum() (out Hash, err error) {
	if t.digest == nil || t.digested < len(t.raw) {
		digest := sha256.New().(hash.Cloner)
		if t.digest != nil {
			if digest, err = t.digest.Clone(); err != nil {
				return out, fmt.Errorf("going on with the digest of a tail: %w", err)
			}
		}
		digest.Write(t.raw[t.digested:])
		t.digest, t.digested = digest, len(t.raw)
	}
	t.digest.Sum(out[:0])
	return out, nil
}

// errTail says that what follows the line of a head object does not lead to the head.
var errTail = fmt.Errorf("the tail of the released head is not a batch that leads to it: %w", ErrDamaged)

// parseTail reads what follows the line of a head object. It must be what the line says, and lead to the head's size.
func (h *releasedHead) parseTail(raw []byte) error {
	if h.Tail == nil {
		if len(raw) > 0 {
			return errTail
		}
		return nil
	}
	raw, ok := bytes.CutPrefix(raw, []byte("\n"))
	if !ok || len(raw) > maxBatchFile || h.Tail.First >= h.Size {
		return errTail
	}
	items, entries, err := parseItems(raw)
	if err != nil || entries != h.Size-h.Tail.First {
		return errTail
	}
	h.tail = &tail{items: items, raw: raw, header: batchHeader{First: h.Tail.First, Count: entries, Root: h.Root,
		Prev: h.LastBatch, PrevRoot: h.Tail.PrevRoot, Key: h.Key}}
	digest, err := h.tail.sum()
	if err == nil && digest != h.Tail.Digest {
		err = errTail
	}
	return err
}
