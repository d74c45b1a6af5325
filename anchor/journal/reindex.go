package journal

import (
	"bytes"
	"context"
	"fmt"
)

// unindexedTable names the sealed rows that came back from what was shipped, and whose tokens, which are never shipped,
// have not been computed again yet: key of the sealed row → 1.
var unindexedTable = Table{Volatile, "unindexed"}

// reindexBatch is how many sealed rows are unwrapped at a time.
const reindexBatch = 256

// SealedRowAt names a sealed row and its ciphertext.
type SealedRowAt struct {
	Key, Value []byte
}

// TokensOf is what unwrapping a sealed row has shown.
type TokensOf struct {
	Tokens  [][]byte
	Problem string // why the row cannot be unwrapped, or is not the one that its key names
}

// Reindex computes the tokens of the sealed rows that a restore has brought back. Until it has, lookups miss them, so
// call it before anything is served. tokens unwraps a batch; a row with a problem is left as it is, named by the error,
// and tried again the next time. It returns how many rows have their tokens again.
func (j *Journal) Reindex(ctx context.Context,
	tokens func(context.Context, []SealedRowAt) ([]TokensOf, error)) (done int, err error) {
	var broken error
	for from := []byte(nil); ; {
		batch, err := j.unindexed(ctx, from)
		if err != nil || len(batch) == 0 {
			if err == nil {
				err = broken
			}
			return done, err
		}
		from = append(bytes.Clone(batch[len(batch)-1].Key), 0)
		found, err := tokens(ctx, batch)
		if err != nil {
			return done, fmt.Errorf("computing lookup tokens again: %w", err)
		}
		if len(found) != len(batch) {
			return done, fmt.Errorf("computing lookup tokens again: %d results for %d rows", len(found), len(batch))
		}
		for i := range found {
			if found[i].Problem == "" {
				done++
			} else {
				broken = fmt.Errorf("sealed row %x: %s: %w", batch[i].Key, found[i].Problem, ErrDamaged)
			}
		}
		if err := j.writeTokens(ctx, batch, found); err != nil {
			return done, fmt.Errorf("writing lookup tokens again: %w", err)
		}
	}
}

// unindexed reads a batch of the rows that lack their tokens.
func (j *Journal) unindexed(ctx context.Context, from []byte) (batch []SealedRowAt, err error) {
	err = j.View(ctx, func(r Reader) error {
		batch = nil
		return r.Scan(unindexedTable, Range{From: from}, func(key, _ []byte) error {
			if len(batch) == reindexBatch {
				return Stop
			}
			value, err := SealedRow(r, key)
			if err != nil || value == nil {
				return err // erased before it came to its tokens
			}
			batch = append(batch, SealedRowAt{Key: bytes.Clone(key), Value: bytes.Clone(value)})
			return nil
		})
	})
	return batch, err
}

// writeTokens writes index rows, which no event carries, and strikes the rows off the list.
func (j *Journal) writeTokens(ctx context.Context, batch []SealedRowAt, found []TokensOf) error {
	return j.update(ctx, func(tx Txn) error {
		for i, row := range batch {
			if found[i].Problem != "" {
				continue
			}
			for _, token := range found[i].Tokens {
				if err := tx.Put(tokenTable, token, row.Key); err != nil {
					return err
				}
			}
			if err := tx.Delete(unindexedTable, row.Key); err != nil {
				return err
			}
		}
		return nil
	})
}
