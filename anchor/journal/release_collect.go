package journal

import (
	"bytes"
	"context"
	"fmt"
)

// collected is what collect has read.
type collected struct {
	items []batchItem
	edge  *edge   // of the tree after the last entry
	auth  *uint64 // index of the newest event about principals, keys and grants
}

// collect reads the entries that follow the released head and the current sealed rows of their changes, and fills in
// the header's count and root. A change is never cut in two. A row that was erased since goes together with the event
// that erased it, as far as a batch can hold both; otherwise a restore from this batch would miss a row that is still
// bound.
//
// Rows of the backend are not believed: the entries must lead from the released head to the committed one, whose roots
// this process knows.
func (j *Journal) collect(ctx context.Context, h *batchHeader, head Head) (c collected, err error) {
	err = j.View(ctx, func(r Reader) error {
		c, h.Count = collected{}, 0
		if c.edge, err = j.edgeAt(r, h.First, h.PrevRoot); err != nil {
			return err
		}
		size, erased := 0, uint64(0)
		// The snapshot may hold entries beyond the head, which the committer has not announced yet; they wait for the
		// next batch.
		err := r.Scan(bodyTable, Range{From: indexKey(h.First), To: indexKey(head.Size)}, func(key, row []byte) error {
			at := h.First + h.Count
			if size > maxBatch && at > erased || size > maxGrown {
				inside, err := insideChange(r, at)
				if err != nil {
					return err
				}
				if !inside {
					return Stop
				}
			}
			item, err := entryItem(key, row, at)
			if err != nil {
				return err
			}
			c.items = append(c.items, item)
			c.edge.append(entryHash(item.nonce, item.value), func(int, uint64, []Hash) {})
			h.Count++
			size += len(row)
			rows, n, until, err := sealedItems(r, at)
			c.items = append(c.items, rows...)
			size, erased = size+n, max(erased, until)
			return err
		})
		if err != nil {
			return err
		}
		if h.Count == 0 {
			return fmt.Errorf("body %d is missing: %w", h.First, ErrDamaged)
		}
		h.Root = c.edge.root()
		if err := provePrefix(r, c.edge.size, h.Root, head); err != nil {
			return err
		}
		c.auth, err = authBefore(r, head.Auth, c.edge.size)
		return err
	})
	return c, err
}

// edgeAt is the edge of the released tree.
func (j *Journal) edgeAt(r Reader, size uint64, root Hash) (*edge, error) {
	if j.shippedEdge != nil && j.shippedEdge.size == size {
		return j.shippedEdge.clone(), nil
	}
	e, err := loadEdge(r, size)
	if err == nil && size > 0 && e.root() != root {
		err = fmt.Errorf("the tree at the released size %d has another root: %w", size, ErrDamaged)
	}
	return e, err
}

// authBefore is the index of the newest event about principals, keys and grants in a tree of a size: it follows the
// chain back from the newest of all.
func authBefore(r Reader, newest *uint64, size uint64) (*uint64, error) {
	for newest != nil && *newest >= size {
		record, err := readRecord(r, *newest)
		if err != nil {
			return nil, err
		}
		newest = record.Auth
	}
	return newest, nil
}

// entryItem makes the item of a body's row, which must have the index want.
func entryItem(key, row []byte, want uint64) (batchItem, error) {
	at, err := parseIndex(key)
	if err != nil || at != want {
		return batchItem{}, fmt.Errorf("body %d is missing: %w", want, ErrDamaged)
	}
	nonce, raw, err := unpackBody(row)
	if err != nil {
		return batchItem{}, err
	}
	return batchItem{kind: 'e', nonce: nonce, value: bytes.Clone(raw)}, nil
}

// sealedItems are the items of the sealed rows of the change that ends with the entry at, if any, their size, and the
// index of the last event that has erased one of them.
func sealedItems(r Reader, at uint64) (items []batchItem, size int, erased uint64, err error) {
	row, err := r.Get(outboxTable, indexKey(at))
	if err != nil || row == nil {
		return nil, 0, 0, err
	}
	out, err := parseOutboxRow(row)
	if err != nil {
		return nil, 0, 0, err
	}
	for _, key := range out.Rows {
		if touched, err := touchedSince(r, key, out.First); err != nil {
			return nil, 0, 0, err
		} else if !touched {
			continue // somebody has written to the outbox: a restore would refuse the batch for that row
		}
		value, err := SealedRow(r, key)
		if err != nil {
			return nil, 0, 0, err
		}
		item := batchItem{kind: 'x', key: key}
		if value != nil {
			item.kind, item.value = 's', bytes.Clone(value)
		} else {
			by, err := unboundBy(r, key)
			if err != nil {
				return nil, 0, 0, err
			}
			erased = max(erased, by)
		}
		items = append(items, item)
		size += len(key) + len(value)
	}
	return items, size, erased, nil
}

// touchedSince says whether an event from an index on has bound a sealed row, written it anew or released it.
func touchedSince(r Reader, key []byte, first uint64) (bool, error) {
	for _, t := range []Table{boundTable, rewrittenTable, unboundTable} {
		row, err := r.Get(t, key)
		if err != nil {
			return false, err
		}
		if row == nil {
			continue
		}
		if at, err := parseIndex(row); err != nil || at >= first {
			return err == nil, err
		}
	}
	return false, nil
}

// unboundBy is the index of the event that released a sealed row from its binding, so that it could be erased.
func unboundBy(r Reader, key []byte) (uint64, error) {
	row, err := r.Get(unboundTable, key)
	if err != nil {
		return 0, err
	}
	if row == nil {
		return 0, fmt.Errorf("a sealed row is missing, and no event has erased it: %w", ErrDamaged)
	}
	return parseIndex(row)
}
