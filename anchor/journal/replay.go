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
