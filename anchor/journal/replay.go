package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// errMisplaced says that a body and its place in the log do not belong together.
var errMisplaced = fmt.Errorf("names another place than the one it stands in: %w", ErrDamaged)

// errDangling says that a token leads to no row.
var errDangling = errors.New("the token leads nowhere")

// replay applies items as they were shipped: it gives each body its place again, which must be the one it names, and
// runs the reducers. Sealed rows are taken as they are; what binds them is checked when all is there.
func (g *group) replay(items []batchItem) error {
	for _, item := range items {
		switch item.kind {
		case 'e':
			if err := g.replayEntry(item); err != nil {
				return err
			}
		case 's':
			g.set(sealedTable, item.key, slices.Clone(item.value))
			g.set(unindexedTable, item.key, []byte{1})
		case 'x':
			g.set(sealedTable, item.key, nil)
			g.set(unindexedTable, item.key, nil)
		}
	}
	return nil
}

func (g *group) replayEntry(item batchItem) error {
	at := g.edge.size
	b, err := parseBody(item.value)
	if err != nil {
		return fmt.Errorf("body %d: %w", at, err)
	}
	s := g.begin()
	if err := s.append(*b, item.nonce); err != nil {
		return fmt.Errorf("body %d: %w", at, err)
	}
	if !bytes.Equal(s.lastRaw, item.value) {
		return fmt.Errorf("body %d %w", at, errMisplaced)
	}
	s.finish()
	return nil
}

// catchUp brings the backend from its size to the released head, from what was shipped. From an empty backend that is a
// restore.
func catchUp(ctx context.Context, cfg Config, s *schema, head *releasedHead, from uint64) error {
	erases := false
	err := eachBatch(ctx, cfg.Bucket, head, from, func(name string, h batchHeader, items []batchItem) error {
		if err := applyBatch(ctx, cfg, s, head.Origin, h, items); err != nil {
			return fmt.Errorf("applying the shipped batch %s: %w", name, err)
		}
		cfg.Log.Info("caught up", "size", h.First+h.Count, "of", head.Size)
		erases = erases || slices.ContainsFunc(items, func(i batchItem) bool { return i.kind == 'x' })
		return nil
	})
	if err != nil {
		return err
	}
	if from == 0 || !erases {
		return nil
	}
	return dropTokens(ctx, cfg.Backend)
}

// eachBatch reads the batches from the one in which the leaf at from lies to the released head, oldest first, its tail
// included.
func eachBatch(ctx context.Context, b Bucket, head *releasedHead, from uint64,
	fn func(name string, h batchHeader, items []batchItem) error) error {
	chain, err := chainTo(ctx, b, head, from)
	if err != nil {
		return err
	}
	for _, name := range chain {
		h, items, err := getBatch(ctx, b, name)
		if err != nil {
			return err
		}
		if err := fn(name, h, items); err != nil {
			return err
		}
	}
	if head.tail == nil {
		return nil
	}
	return fn("in the head", head.tail.header, head.tail.items)
}

// dropTokens removes the tokens of the rows that were erased after the backend's own time: which they were is nowhere
// on record, for an erased row's tokens go without a trace.
func dropTokens(ctx context.Context, b Backend) error {
	tokens := &cursor{backend: b, table: tokenTable}
	for {
		token, err := tokens.next(ctx)
		if err != nil || token == nil {
			return err
		}
		err = b.View(ctx, func(r Reader) error {
			row, err := SealedRow(r, token.value)
			if err == nil && row == nil {
				err = errDangling
			}
			return err
		})
		if errors.Is(err, errDangling) {
			err = b.Update(ctx, func(tx Txn) error { return tx.Delete(tokenTable, token.key) })
		}
		if err != nil {
			return fmt.Errorf("removing the lookup tokens of erased rows: %w", err)
		}
	}
}

// chainTo lists the batches from the one in which the leaf at from lies to the released head or its tail, oldest first.
// Each batch names the one before it; where that has been compacted away, the one that took its place ends at the same
// leaf with the same root.
func chainTo(ctx context.Context, b Bucket, head *releasedHead, from uint64) ([]string, error) {
	names, err := b.List(ctx, batchPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing the shipped batches: %w", err)
	}
	ending := map[uint64][]string{}
	for _, name := range names {
		first, count, err := parseBatchName(name)
		if err != nil || count == 0 || first+count < first {
			continue // not one of ours
		}
		ending[first+count] = append(ending[first+count], name)
	}
	var chain []string
	want, end, root := head.LastBatch, head.Size, head.Root
	if head.tail != nil {
		end, root = head.tail.header.First, head.tail.header.PrevRoot
	}
	for end > from {
		name, h, err := findBatch(ctx, b, want, ending[end], root)
		if errors.Is(err, ErrDamaged) {
			err = missingBatch(ctx, b, want, end, ending)
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the batch that ends at %d: %w", end, err)
		}
		chain = append(chain, name)
		want, end, root = h.Prev, h.First, h.PrevRoot
	}
	slices.Reverse(chain)
	return chain, nil
}

// findBatch finds the batch that leads to a root: the one named, or one that replaces it.
func findBatch(ctx context.Context, b Bucket, want string, candidates []string, root Hash) (string, batchHeader,
	error) {
	// The one that is named is tried first: the others may be the leavings of a broken release.
	slices.SortStableFunc(candidates, func(x, y string) int {
		switch {
		case x == want && y != want:
			return -1
		case y == want && x != want:
			return 1
		}
		return 0
	})
	for _, name := range candidates {
		h, _, err := getBatch(ctx, b, name)
		if unusable(err) {
			continue
		}
		if err != nil {
			return "", batchHeader{}, err
		}
		if h.Root == root {
			return name, h, nil
		}
	}
	return "", batchHeader{}, fmt.Errorf("no shipped batch leads there: %w", ErrDamaged)
}

// applyBatch applies a batch in one transaction. The part of it that the backend has already is skipped.
func applyBatch(ctx context.Context, cfg Config, s *schema, origin string, h batchHeader, items []batchItem) error {
	return cfg.Backend.Update(ctx, func(tx Txn) error {
		head, ok, err := readHead(tx)
		if err != nil {
			return err
		}
		if !ok {
			head = Head{Origin: origin}
		}
		if head.Size < h.First || head.Size >= h.First+h.Count {
			return fmt.Errorf("it begins at %d and ends at %d, the journal is at %d: %w",
				h.First, h.First+h.Count, head.Size, ErrDamaged)
		}
		edge, err := loadEdge(tx, head.Size)
		if err != nil {
			return err
		}
		g := &group{overlay: newOverlay(tx), schema: s, head: head, edge: edge}
		if head.Size == h.First && head.Size > 0 && edge.root() != h.PrevRoot {
			return fmt.Errorf("it follows another history than the one here: %w", ErrContradicts)
		}
		if err := g.replay(skipEntries(items, head.Size-h.First)); err != nil {
			if errors.Is(err, errMisplaced) { // by its digest the batch is whole, so the rows before it are not what it follows
				err = fmt.Errorf("%w: %w", ErrContradicts, err)
			}
			return err
		}
		if g.edge.root() != h.Root {
			return fmt.Errorf("its root is another: %w", ErrContradicts)
		}
		if err := g.seal(); err != nil {
			return err
		}
		return g.flush(tx)
	})
}

// after leaves out the first n entries and the sealed rows that follow them.
func skipEntries(items []batchItem, n uint64) []batchItem {
	for i, item := range items {
		if item.kind != 'e' {
			continue
		}
		if n == 0 {
			return items[i:]
		}
		n--
	}
	return nil
}
