package journal

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// rangeWindow is how many leaves are shipped again for one scan of the tables that say which sealed rows belong to
// them: it bounds the memory that their keys take.
const rangeWindow = 1 << 18

// rangeRow is a sealed row, as the event that bound it, wrote it anew or released it has left it.
type rangeRow struct {
	key    []byte
	erased bool
}

// rowsOfRange lists the sealed rows that belong to a range of leaves, by the index of the event that bound, wrote anew
// or released them last.
func rowsOfRange(ctx context.Context, b Backend, of Leaves) (map[uint64][]rangeRow, error) {
	rows := map[uint64][]rangeRow{}
	for _, t := range []Table{unboundTable, boundTable, rewrittenTable} {
		for c := (&cursor{backend: b, table: t}); ; {
			row, err := c.next(ctx)
			if err != nil {
				return nil, fmt.Errorf("listing the sealed rows of a range: %w", err)
			}
			if row == nil {
				break
			}
			at, err := parseIndex(row.value)
			if err != nil {
				return nil, err
			}
			if at >= of.First && at-of.First < of.Count {
				rows[at] = append(rows[at], rangeRow{row.key, t == unboundTable})
			}
		}
	}
	return rows, nil
}

// collectRange makes a batch of the leaves from of.First on, as many as one batch should hold, with what their sealed
// rows are now. Its leaves are held against the released head: rows of the database that were changed are not shipped
// as if they had been released. The outbox has forgotten where changes end, so the batch ends with a group of commits,
// as far as its time tells it from the next.
func (j *Journal) collectRange(ctx context.Context, head *releasedHead, of Leaves,
	rows map[uint64][]rangeRow) (h batchHeader, items []batchItem, err error) {
	err = j.View(ctx, func(r Reader) error {
		h, items = batchHeader{First: of.First}, nil
		edge, err := loadEdge(r, of.First)
		if err != nil {
			return err
		}
		if of.First > 0 {
			h.PrevRoot = edge.root()
		}
		size, last := 0, time.Time{}
		err = r.Scan(bodyTable, Range{From: indexKey(of.First), To: indexKey(of.First + of.Count)},
			func(key, row []byte) error {
				at := h.First + h.Count
				entry, err := entryItem(key, row, at)
				if err != nil {
					return err
				}
				b, err := parseBody(entry.value)
				if err != nil {
					return fmt.Errorf("body %d: %w: %w", at, ErrDamaged, err)
				}
				if size > maxBatch && !b.At.Equal(last) || size > maxGrown {
					return Stop
				}
				sealed, n, err := rangeItems(r, at, rows[at])
				if err != nil {
					return err
				}
				items = append(append(items, entry), sealed...)
				h.Count++
				size, last = size+len(row)+n, b.At
				edge.append(entryHash(entry.nonce, entry.value), func(int, uint64, []Hash) {})
				return nil
			})
		if err != nil {
			return err
		}
		if h.Count == 0 {
			return fmt.Errorf("body %d is missing: %w", h.First, ErrDamaged)
		}
		h.Root = edge.root()
		released, err := releasedRoot(r, head, h.First+h.Count)
		if err == nil && released != h.Root {
			err = fmt.Errorf("the leaves from %d to %d are not those that were released: %w",
				h.First, h.First+h.Count, ErrDamaged)
		}
		return err
	})
	return h, items, err
}

// rangeItems are the items of the sealed rows of the entry at an index, and their size. A row that a later event has
// released or bound again goes with that one.
func rangeItems(r Reader, at uint64, rows []rangeRow) (items []batchItem, size int, err error) {
	for _, row := range rows {
		if row.erased {
			items = append(items, batchItem{kind: 'x', key: row.key})
			continue
		}
		bound, err := r.Get(boundTable, row.key)
		if err != nil {
			return nil, 0, err
		}
		rewritten, err := r.Get(rewrittenTable, row.key)
		if err != nil {
			return nil, 0, err
		}
		if !bytes.Equal(bound, indexKey(at)) && !bytes.Equal(rewritten, indexKey(at)) {
			continue
		}
		value, err := SealedRow(r, row.key)
		if err != nil {
			return nil, 0, err
		}
		if value == nil {
			return nil, 0, fmt.Errorf("a sealed row is missing, and no event has erased it: %w", ErrDamaged)
		}
		items = append(items, batchItem{kind: 's', key: row.key, value: bytes.Clone(value)})
		size += len(row.key) + len(value)
	}
	return items, size, nil
}

// releasedRoot is the root of the first size leaves, proved to be those of a released head: the tree's own rows are not
// believed.
func releasedRoot(r Reader, head *releasedHead, size uint64) (Hash, error) {
	if size == head.Size {
		return head.Root, nil
	}
	root, err := rootAt(r, size)
	if err != nil {
		return Hash{}, err
	}
	proof, err := tlog.ProveTree(int64(head.Size), int64(size), hashes(r))
	if err != nil {
		return Hash{}, fmt.Errorf("proving size %d in the released head: %w", size, err)
	}
	if tlog.CheckTree(proof, int64(head.Size), head.Root, int64(size), root) != nil {
		return Hash{}, fmt.Errorf("the tree does not prove size %d in the released head at %d: %w",
			size, head.Size, ErrDamaged)
	}
	return root, nil
}
