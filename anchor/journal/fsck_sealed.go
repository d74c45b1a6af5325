package journal

import (
	"bytes"
	"context"
	"fmt"
)

// compareSealed compares the sealed rows with the events that bind them.
func (f *fsck) compareSealed(ctx context.Context) error {
	if !f.complete() {
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

// compareIndex compares the lookup tokens with the sealed rows that they lead to. Without keys it can only see tokens
// that lead nowhere.
func (f *fsck) compareIndex(ctx context.Context) error {
	if !f.complete() {
		return nil
	}
	c := &cursor{backend: f.cfg.Backend, table: tokenTable}
	for {
		token, err := c.next(ctx)
		if err != nil {
			return err
		}
		if token == nil {
			break
		}
		if there, err := f.hasSealed(ctx, token.value); err != nil {
			return err
		} else if !there {
			f.found(tokenTable, token.key, "it leads to a row that is not there")
		}
	}
	if f.cfg.Tokens == nil {
		return nil
	}
	if err := f.computeTokens(ctx); err != nil {
		return err
	}
	have := &cursor{backend: f.cfg.Backend, table: tokenTable}
	want := &cursor{backend: f.cfg.Scratch, table: tokenTable}
	return diff(ctx, have, want, func(token, have, want []byte) error {
		switch {
		case f.unknownTokens[string(have)] || f.unknownTokens[string(want)]:
		case have == nil:
			f.found(tokenTable, token, "it is missing")
		case !bytes.Equal(have, want):
			f.found(tokenTable, token, "it leads to a row that it does not belong to")
		}
		return nil
	})
}

// computeTokens unwraps every sealed row and writes the tokens that must lead to it into the scratch backend, so that
// memory does not grow with them.
func (f *fsck) computeTokens(ctx context.Context) error {
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
		err = f.cfg.Scratch.Update(ctx, func(tx Txn) error {
			for i, row := range batch {
				if want[i].Problem != "" {
					f.found(sealedTable, row.Key, "%s", want[i].Problem)
					f.unknownTokens[string(row.Key)] = true
				}
				for _, token := range want[i].Tokens {
					if err := tx.Put(tokenTable, token, row.Key); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
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

// hasSealed says whether there is a sealed row under the key.
func (f *fsck) hasSealed(ctx context.Context, key []byte) (there bool, err error) {
	err = f.cfg.Backend.View(ctx, func(r Reader) error {
		row, err := SealedRow(r, key)
		there = row != nil
		return err
	})
	return there, err
}
