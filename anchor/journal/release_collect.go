package journal

import (
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
// this process knows, and the sealed rows are those that the entries name.
func (j *Journal) collect(ctx context.Context, h *batchHeader, head Head) (c collected, err error) {
	err = j.View(ctx, func(r Reader) error {
		c, h.Count = collected{}, 0
		edge, err := j.edgeAt(r, h.First, h.PrevRoot)
		if err != nil {
			return err
		}
		g := &gathering{r: r, schema: j.schema, edge: edge, erasures: &erasures{j: j}, first: h.First}
		// The snapshot may hold entries beyond the head, which the committer has not announced yet; they wait for the
		// next batch.
		err = r.Scan(bodyTable, Range{From: indexKey(h.First), To: indexKey(head.Size)}, func(key, row []byte) error {
			full, err := g.full()
			if err == nil && full {
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
		h.Count, h.Root = g.count, g.edge.root()
		if err := provePrefix(r, g.edge.size, h.Root, head); err != nil {
			return err
		}
		c = collected{items: g.items, edge: g.edge}
		c.auth, err = authBefore(r, head.Auth, g.edge.size)
		return err
	})
	return c, err
}

// full says whether a batch should hold no more. Where changes end is a row of the backend, which is believed as long
// as it makes no batch that is too large to be written.
func (g *gathering) full() (bool, error) {
	if g.size <= maxBatch || g.size <= maxGrown && g.first+g.count <= g.erased {
		return false, nil
	}
	if g.size > maxWhole {
		return true, nil
	}
	inside, err := insideChange(g.r, g.first+g.count)
	return !inside, err
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
