package journal

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

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
		if len(want) != len(batch) {
			return fmt.Errorf("computing tokens: %d results for %d rows", len(want), len(batch))
		}
		for i, row := range batch {
			if want[i].Problem != "" {
				f.found(sealedTable, row.Key, "%s", want[i].Problem)
				continue
			}
			if !f.unindexed[string(row.Key)] {
				f.compareTokens(byRow[string(row.Key)], want[i].Tokens)
			}
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
