package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// errMisplaced says that a body names another position in the log than the one that it has.
var errMisplaced = fmt.Errorf("names another place than the one it stands in: %w", ErrDamaged)

// errDangling says that a token leads to no row.
var errDangling = errors.New("the token leads nowhere")

// errUntouched says that a sealed row was shipped beside no event that has to do with it.
var errUntouched = fmt.Errorf("a sealed row is written beside no event that binds, rewrites or unbinds it: %w",
	ErrDamaged)

// replay applies shipped items: it appends each body, which must name the number and predecessor that it gets, and runs
// the reducers. A sealed row is written once for the events that bind it, write it anew or unbind it; any other write
// of one is refused. A row that is bound and not there may come with a later batch.
func (g *group) replay(items []batchItem) error {
	for _, item := range items {
		switch item.kind {
		case 'e':
			if err := g.replayEntry(item); err != nil {
				return err
			}
		case 's', 'x':
			if !g.touched[string(item.key)] {
				return errUntouched
			}
			delete(g.touched, string(item.key))
			g.set(sealedTable, item.key, slices.Clone(item.value))
			g.set(unindexedTable, item.key, nil)
			if item.kind == 's' {
				g.set(unindexedTable, item.key, []byte{1})
			} else {
				g.set(unfinishedTable, unfinishedKey, []byte{1})
			}
		}
	}
	return nil
}

func (g *group) replayEntry(item batchItem) error {
	at := g.edge.size
	b, err := parseBody(item.value)
	if err != nil {
		return fmt.Errorf("body %d: %w: %w", at, ErrDamaged, err)
	}
	if err := checkKeyOf(b, g.batchKey); err != nil && g.batchKey > 0 {
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
	for _, row := range s.touched {
		if g.touched == nil {
			g.touched = map[string]bool{}
		}
		g.touched[string(row.key)] = true
	}
	if at == 0 {
		var data Created
		if err := json.Unmarshal(b.Data, &data); err != nil || b.Type != string(created) {
			return fmt.Errorf("the first entry is not %s: %w", created, ErrDamaged)
		}
		g.head.Journal = data.Journal
	}
	return nil
}

// catchUp applies the shipped batches that bring the backend from its size to the released head. On an empty backend
// this is a restore. The caller calls finishCatchUp afterwards.
func catchUp(ctx context.Context, cfg Config, b shipped, s *schema, head *releasedHead, from uint64) error {
	key, err := b.keys.get(ctx, head.Key)
	if err != nil {
		return err
	}
	return eachBatch(ctx, b, head, from, func(name string, h batchHeader, items []batchItem) error {
		if err := applyBatch(ctx, cfg.Backend, s, key, head.Origin, h, items); err != nil {
			return fmt.Errorf("applying the shipped batch %s: %w", name, err)
		}
		cfg.Log.Info("caught up", "size", h.First+h.Count, "of", head.Size)
		return nil
	})
}

// dropTokens removes the tokens of rows that the applied batches have erased. No record lists them, because an erasure
// leaves no trace of its tokens, so all tokens are looked at.
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

// applyBatch applies a batch in one transaction, without the entries that the backend has already. key authenticates
// the head that it leads to; nil for scratch tables.
func applyBatch(ctx context.Context, b Backend, s *schema, key *shippingKey, origin string, h batchHeader,
	items []batchItem) error {
	return b.Update(ctx, func(tx Txn) error {
		head, ok, err := readHead(tx)
		if err != nil {
			return err
		}
		if !ok {
			head = Head{Origin: origin}
		}
		if head.Size < h.First || head.Size >= h.First+h.Count {
			return fmt.Errorf("the batch begins at %d and ends at %d, and the journal is at %d: %w",
				h.First, h.First+h.Count, head.Size, ErrDamaged)
		}
		edge, err := loadEdge(tx, head.Size)
		if err != nil {
			return err
		}
		g := &group{overlay: newOverlay(tx), schema: s, head: head, edge: edge, key: key}
		if head.Size == h.First && head.Size > 0 && edge.root() != h.PrevRoot {
			return fmt.Errorf("the batch follows another history than this journal's: %w", ErrContradicts)
		}
		g.set(authTable, authKey, authRow(head)) // the head is authentic, and the row need not be
		g.batchKey = h.Key
		if err := g.replay(skipEntries(items, head.Size-h.First)); err != nil {
			if errors.Is(err, errMisplaced) { // the batch is whole by its digest, so it follows other entries than ours
				err = fmt.Errorf("%w: %w", ErrContradicts, err)
			}
			return err
		}
		if g.edge.root() != h.Root {
			return fmt.Errorf("the batch leads to another root than it names: %w", ErrContradicts)
		}
		if err := g.seal(); err != nil {
			return err
		}
		return g.flush(tx)
	})
}

// skipEntries leaves out the first n entries and the sealed rows that follow them.
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
