package journal

import (
	"bytes"
	"context"
	"fmt"
)

// collect reads the entries that follow the released head and the current sealed rows of their changes, and fills in
// the header's count and root. A change is never cut in two. A row that was erased since goes together with the event
// that erased it, as far as a batch can hold both; otherwise a restore from this batch would miss a row that is still
// bound.
func (j *Journal) collect(ctx context.Context, h *batchHeader) (items []batchItem, err error) {
	err = j.View(ctx, func(r Reader) error {
		items, h.Count = nil, 0
		size, erased := 0, uint64(0)
		// The snapshot may hold entries beyond Size, which the committer has not announced yet; they wait for the
		// next batch.
		err := r.Scan(bodyTable, Range{From: indexKey(h.First), To: indexKey(j.Size())}, func(key, row []byte) error {
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
			items = append(items, item)
			h.Count++
			size += len(row)
			rows, n, until, err := sealedItems(r, at)
			items = append(items, rows...)
			size, erased = size+n, max(erased, until)
			return err
		})
		if err != nil {
			return err
		}
		if h.Count == 0 {
			return fmt.Errorf("body %d is missing: %w", h.First, ErrDamaged)
		}
		h.Root, err = rootAt(r, h.First+h.Count)
		return err
	})
	return items, err
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
