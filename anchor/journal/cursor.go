package journal

import (
	"bytes"
	"context"
)

// cursor walks a table in short transactions: a long one would keep bbolt from reusing pages.
type cursor struct {
	backend Backend
	table   Table
	chunk   []row
	from    []byte
	ended   bool
}

// next returns the next row, or nil at the end.
func (c *cursor) next(ctx context.Context) (*row, error) {
	if len(c.chunk) == 0 && !c.ended {
		err := c.backend.View(ctx, func(r Reader) error {
			c.chunk = nil
			return r.Scan(c.table, Range{From: c.from}, func(key, value []byte) error {
				if len(c.chunk) == chunkRows {
					return Stop
				}
				c.chunk = append(c.chunk, row{bytes.Clone(key), bytes.Clone(value)})
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
		if c.ended = len(c.chunk) < chunkRows; !c.ended {
			c.from = append(bytes.Clone(c.chunk[len(c.chunk)-1].key), 0)
		}
	}
	if len(c.chunk) == 0 {
		return nil, nil
	}
	first := &c.chunk[0]
	c.chunk = c.chunk[1:]
	return first, nil
}

// diff calls fn for each key whose values in two tables differ; a missing one is nil.
func diff(ctx context.Context, a, b *cursor, fn func(key, inA, inB []byte) error) error {
	x, err := a.next(ctx)
	if err != nil {
		return err
	}
	y, err := b.next(ctx)
	if err != nil {
		return err
	}
	for x != nil || y != nil {
		order := compareRows(x, y)
		switch {
		case order < 0:
			err = fn(x.key, x.value, nil)
		case order > 0:
			err = fn(y.key, nil, y.value)
		case !bytes.Equal(x.value, y.value):
			err = fn(x.key, x.value, y.value)
		}
		if err != nil {
			return err
		}
		if order <= 0 {
			if x, err = a.next(ctx); err != nil {
				return err
			}
		}
		if order >= 0 {
			if y, err = b.next(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareRows orders two rows by key; one that is missing comes last.
func compareRows(x, y *row) int {
	switch {
	case y == nil:
		return -1
	case x == nil:
		return 1
	}
	return bytes.Compare(x.key, y.key)
}

// chunkRows is how many rows fsck reads, and replays, at a time.
const chunkRows = 2048
