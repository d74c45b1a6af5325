package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// reshipTable has how far the history was shipped again under another shipping key.
var (
	reshipTable = Table{Volatile, "reship"}
	reshipKey   = []byte("at")
)

// reshipRow is how far that has come. It is believed as far as the batch that it names is there under the new key: the
// batches are shipped in the order of the log.
type reshipRow struct {
	Key  int    `json:"key"`
	Next uint64 `json:"next"` // the leaf from which on the next batch is shipped
	Last string `json:"last"` // the batch before
}

// reshipProgress is how far it has come, for those who wait.
type reshipProgress struct{ next, of uint64 }

// reship ships all that was released again under the present shipping key, and swaps the head object to it. Work that
// was broken off goes on where it was. The batches under the earlier key stay until they are found to be replaced.
func (j *Journal) reship(ctx context.Context, key *shippingKey) error {
	before := j.swapped.Load()
	j.batches.mu.Lock() // a look at the batches would take those of the new key for leftovers
	defer j.batches.mu.Unlock()
	row, err := j.reshipped(ctx, before, key)
	if err != nil {
		return fmt.Errorf("shipping the history again under shipping key %d: %w", key.number, err)
	}
	j.reshipping.Store(&reshipProgress{row.Next, before.Size})
	rest := Leaves{First: row.Next, Count: before.Size - row.Next}
	last, err := j.shipAgain(ctx, before, key, rest, row.Last, func(next uint64, last string) error {
		j.reshipping.Store(&reshipProgress{next, before.Size})
		j.cfg.Log.Info("shipping the history again under another shipping key", "key", key.number, "entries", next,
			"of", before.Size)
		return j.noteReshipped(ctx, reshipRow{key.number, next, last})
	})
	if err != nil {
		return fmt.Errorf("shipping the history again under shipping key %d: %w", key.number, err)
	}
	next := &releasedHead{Journal: before.Journal, Origin: before.Origin, Size: before.Size, Root: before.Root,
		LastBatch: last, PrevHeadHash: before.hash(), Auth: before.Auth}
	swapped, err := j.swap(ctx, before, next, key)
	if err != nil {
		return fmt.Errorf("swapping the released head: %w", err)
	}
	j.reshipping.Store(nil)
	j.swapped.Store(swapped)
	j.swaps.notify()
	j.cfg.Log.Info("the history was shipped again under another shipping key", "key", key.number, "size", before.Size)
	return nil
}

// noteReshipped stores how far the history was shipped again. On a full disk a later try begins earlier.
func (j *Journal) noteReshipped(ctx context.Context, row reshipRow) error {
	raw, err := json.Marshal(row)
	if err != nil {
		return err
	}
	err = j.cfg.Backend.Update(ctx, func(tx Txn) error {
		return tx.Put(reshipTable, reshipKey, raw)
	})
	if errors.Is(err, ErrFull) {
		return nil
	}
	return err
}

// reshipped is how far an earlier try has come, if its last batch is there; else the beginning.
func (j *Journal) reshipped(ctx context.Context, head *releasedHead, key *shippingKey) (row reshipRow, err error) {
	var raw []byte
	err = j.View(ctx, func(r Reader) error {
		stored, err := r.Get(reshipTable, reshipKey)
		raw = append(raw[:0], stored...)
		return err
	})
	if err != nil || len(raw) == 0 {
		return reshipRow{}, err
	}
	if json.Unmarshal(raw, &row) != nil || row.Key != key.number || row.Next > head.Size {
		return reshipRow{}, nil // of an earlier change of the key, or not ours
	}
	if first, count, err := parseBatchName(row.Last); err != nil || first+count != row.Next {
		return reshipRow{}, nil
	}
	err = j.examine(ctx, &releasedHead{Size: head.Size, Root: head.Root, Key: key.number}, row.Last)
	if unusable(err) || errors.Is(err, errForeign) {
		return reshipRow{}, nil
	}
	return row, err
}
