package journal

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// collectRange makes a batch of the leaves from of.First on, as many as one batch should hold, with what their sealed
// rows are now. Its leaves are held against the released head: rows of the database that were changed are not shipped
// as if they had been released. Where changes end is forgotten by then, so the batch ends with a group of commits, as
// far as its time tells it from the next.
func (j *Journal) collectRange(ctx context.Context, head *releasedHead, of Leaves,
	erased *erasures) (h batchHeader, items []batchItem, err error) {
	err = j.View(ctx, func(r Reader) error {
		h = batchHeader{First: of.First}
		edge, err := loadEdge(r, of.First)
		if err != nil {
			return err
		}
		if of.First > 0 {
			h.PrevRoot = edge.root()
		}
		g := &gathering{r: r, schema: j.schema, edge: edge, erasures: erased, first: of.First}
		err = r.Scan(bodyTable, Range{From: indexKey(of.First), To: indexKey(of.First + of.Count)},
			func(key, row []byte) error {
				ends, err := g.endsBefore(key, row)
				if err == nil && ends {
					err = Stop
				}
				if err == nil {
					err = g.add(key, row)
				}
				return err
			})
		if err != nil {
			return err
		}
		if g.count == 0 {
			return fmt.Errorf("body %d is missing: %w", h.First, ErrDamaged)
		}
		h.Count, h.Root, items = g.count, g.edge.root(), g.items
		released, err := releasedRoot(r, head, h.First+h.Count)
		if err == nil && released != h.Root {
			err = fmt.Errorf("the leaves from %d to %d are not those that were released: %w",
				h.First, h.First+h.Count, ErrDamaged)
		}
		return err
	})
	return h, items, err
}

// endsBefore says whether a batch should end before the next entry, because it is large and the entry is of another
// group of commits.
func (g *gathering) endsBefore(key, row []byte) (bool, error) {
	if g.size <= maxBatch {
		return false, nil
	}
	if g.size > maxGrown {
		return true, nil
	}
	next, _, err := bodyOf(key, row, g.first+g.count)
	return err == nil && !next.At.Equal(g.last.At), err
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
