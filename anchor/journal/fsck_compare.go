package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
)

type row struct {
	key, value []byte
}

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
				if len(c.chunk) == fsckChunk {
					return Stop
				}
				c.chunk = append(c.chunk, row{bytes.Clone(key), bytes.Clone(value)})
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
		if c.ended = len(c.chunk) < fsckChunk; !c.ended {
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

// whole says whether every body could be replayed; where not, everything after it would differ, and says nothing more.
func (f *fsck) whole() bool { return f.replayed.size >= f.head.Size }

// compareLog compares the log's own tables and the projections with those of the replay.
func (f *fsck) compareLog(ctx context.Context) error {
	if !f.whole() {
		if f.replayed.size < f.head.Size && !f.foundIn(bodyTable) {
			f.found(bodyTable, indexKey(f.replayed.size), "it and all that follow are missing; the head says %d", f.head.Size)
		}
		return nil
	}
	tables, err := f.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		stored := &cursor{backend: f.cfg.Backend, table: t}
		replayed := &cursor{backend: f.cfg.Scratch, table: t}
		err := diff(ctx, stored, replayed, func(key, stored, replayed []byte) error {
			switch {
			case t == tileTable && stored != nil && replayed != nil:
				return f.foundTile(ctx, key, stored, replayed)
			case stored == nil:
				f.found(t, key, "it is missing")
			case replayed == nil:
				f.found(t, key, "the log does not explain it")
			default:
				f.found(t, key, "it is not what the log makes of it")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fsck) foundIn(t Table) bool {
	return slices.ContainsFunc(f.findings, func(x Finding) bool { return x.Table == t })
}

// tables lists the log tables and projections of both sides.
func (f *fsck) tables(ctx context.Context) ([]Table, error) {
	stored, err := f.cfg.Backend.Tables(ctx)
	if err != nil {
		return nil, err
	}
	replayed, err := f.cfg.Scratch.Tables(ctx)
	if err != nil {
		return nil, err
	}
	tables := slices.DeleteFunc(append(slices.Clone(stored), replayed...), func(t Table) bool {
		return t.Kind != Log && t.Kind != Projection
	})
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(tables), nil
}

// foundTile says of a tile that is not what the bodies give which of the two is wrong: a tile that agrees with what stands
// above it is right, and the bodies are not.
func (f *fsck) foundTile(ctx context.Context, key, stored, replayed []byte) error {
	level, n := int(key[0]), binary.BigEndian.Uint64(key[1:])
	agrees := false
	err := f.cfg.Backend.View(ctx, func(r Reader) error {
		agrees = len(stored) == len(replayed) && f.agreesAbove(r, level, n, stored)
		return nil
	})
	if err != nil {
		return err
	}
	if !agrees {
		f.found(tileTable, key, "it is not what the bodies give")
		return nil
	}
	for i := 0; level == 0 && i < len(stored); i += len(Hash{}) {
		if !bytes.Equal(stored[i:i+len(Hash{})], replayed[i:i+len(Hash{})]) {
			f.found(bodyTable, indexKey(n*tileWidth+uint64(i/len(Hash{}))), "it is not the one that the tree holds")
		}
	}
	return nil
}

// agreesAbove says whether a stored tile is the one that the tile above it, or the head, stands on.
func (f *fsck) agreesAbove(r Reader, level int, n uint64, stored []byte) bool {
	width := len(stored) / len(Hash{})
	if width == tileWidth {
		tile, err := readTile(r, level, n, width)
		if err != nil {
			return false
		}
		above, err := readTile(r, level+1, n/tileWidth, int(n%tileWidth)+1)
		return err == nil && rootOf(tile) == above[n%tileWidth]
	}
	edge, err := loadEdge(r, f.head.Size)
	return err == nil && edge.root() == f.head.Root
}

// compareSealed holds the sealed rows against the events that bind them.
func (f *fsck) compareSealed(ctx context.Context) error {
	if !f.whole() {
		return nil
	}
	sealed := &cursor{backend: f.cfg.Backend, table: sealedTable}
	bound := &cursor{backend: f.cfg.Scratch, table: boundTable}
	return diff(ctx, sealed, bound, func(key, sealed, bound []byte) error {
		switch {
		case sealed == nil:
			f.found(sealedTable, key, "it is missing, and no event has erased it")
		case bound == nil:
			f.found(sealedTable, key, "no event binds it")
		}
		return nil
	})
}

// compareIndex compares the lookup tokens with the sealed rows that they lead to. Without keys it can only see tokens that
// lead nowhere.
func (f *fsck) compareIndex(ctx context.Context) error {
	if !f.whole() {
		return nil
	}
	byRow := map[string][][]byte{}
	c := &cursor{backend: f.cfg.Backend, table: tokenTable}
	for {
		token, err := c.next(ctx)
		if err != nil {
			return err
		}
		if token == nil {
			break
		}
		if !f.everBound(ctx, token.value) {
			f.found(tokenTable, token.key, "it leads to a row that never was")
		}
		if f.cfg.Tokens != nil {
			byRow[string(token.value)] = append(byRow[string(token.value)], token.key)
		}
	}
	if f.cfg.Tokens == nil {
		return nil
	}
	sealed := &cursor{backend: f.cfg.Backend, table: sealedTable}
	for {
		batch, err := takeRows(ctx, sealed, 256)
		if err != nil || len(batch) == 0 {
			return err
		}
		want, err := f.cfg.Tokens(ctx, batch)
		if err != nil {
			return err
		}
		for i, row := range batch {
			if want[i].Problem != "" {
				f.found(sealedTable, row.Key, "%s", want[i].Problem)
				continue
			}
			f.compareTokens(byRow[string(row.Key)], want[i].Tokens)
		}
	}
}

// takeRows reads a batch of sealed rows.
func takeRows(ctx context.Context, c *cursor, n int) (batch []SealedRowAt, err error) {
	for len(batch) < n {
		row, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		if row == nil {
			break
		}
		batch = append(batch, SealedRowAt{Key: row.key, Value: row.value})
	}
	return batch, nil
}

// everBound says whether an event has bound the row now; a tombstone's row was bound once, and is in the story only.
func (f *fsck) everBound(ctx context.Context, key []byte) (known bool) {
	_ = f.cfg.Scratch.View(ctx, func(r Reader) error {
		for _, t := range []Table{boundTable, releasedRows} {
			value, err := r.Get(t, key)
			known = known || err == nil && value != nil
		}
		return nil
	})
	return known
}

func (f *fsck) compareTokens(have, want [][]byte) {
	for _, token := range want {
		if !slices.ContainsFunc(have, func(x []byte) bool { return bytes.Equal(x, token) }) {
			f.found(tokenTable, token, "it is missing")
		}
	}
	for _, token := range have {
		if !slices.ContainsFunc(want, func(x []byte) bool { return bytes.Equal(x, token) }) {
			f.found(tokenTable, token, "it leads to a row that it does not belong to")
		}
	}
}

// compareVolatile checks that the rows that nothing explains are at least of their form, and that the outbox holds every
// sealed row that is not shipped yet.
func (f *fsck) compareVolatile(ctx context.Context) error {
	return f.cfg.Backend.View(ctx, func(r Reader) error {
		waiting := map[string]bool{}
		err := r.Scan(outboxTable, Range{}, func(key, value []byte) error {
			var keys [][]byte
			if json.Unmarshal(value, &keys) != nil || len(key) != 8 || len(keys) == 0 {
				f.found(outboxTable, key, "it cannot be read")
			}
			for _, k := range keys {
				waiting[string(k)] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := r.Scan(leaseTable, Range{}, func(key, value []byte) error {
			if l := (lease{}); json.Unmarshal(value, &l) != nil || l.Holder == "" {
				f.found(leaseTable, key, "it cannot be read")
			}
			return nil
		}); err != nil {
			return err
		}
		if err := f.checkShipped(r); err != nil {
			return err
		}
		return f.checkOutbox(r, waiting)
	})
}

func (f *fsck) checkShipped(r Reader) error {
	row, err := r.Get(shippedTable, shippedKey)
	if err != nil || row == nil {
		return err
	}
	size, err := index(row)
	switch {
	case err != nil:
		f.found(shippedTable, shippedKey, "it cannot be read")
	case f.cfg.Bucket != nil && (f.released == nil || size > f.released.Size):
		f.found(shippedTable, shippedKey, "it says that %d were shipped, which the release bucket does not bear out", size)
	}
	return nil
}

// checkOutbox looks for sealed rows that were bound since the released head and that the outbox does not hold.
func (f *fsck) checkOutbox(r Reader, waiting map[string]bool) error {
	if f.cfg.Bucket == nil {
		return nil
	}
	released := uint64(0)
	if f.released != nil {
		released = f.released.Size
	}
	return r.Scan(boundTable, Range{}, func(key, row []byte) error {
		if at, err := index(row); err == nil && at >= released && !waiting[string(key)] {
			f.found(outboxTable, indexKey(at), "it is missing: a sealed row would never be shipped")
		}
		return nil
	})
}

// compareReleased holds the head against the released one.
func (f *fsck) compareReleased(ctx context.Context) error {
	if f.released == nil {
		return nil
	}
	if f.released.Size > f.replayed.size {
		f.found(headTable, headKey, "the journal ends at %d, the released head is at %d", f.replayed.size, f.released.Size)
		return nil
	}
	if !f.whole() {
		return nil
	}
	return f.cfg.Scratch.View(ctx, func(r Reader) error {
		root, err := rootAt(r, f.released.Size)
		if err == nil && root != f.released.Root {
			f.found(headTable, headKey, "at size %d the root is another than the released one", f.released.Size)
		}
		return err
	})
}
