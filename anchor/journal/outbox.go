package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// outboxRow names a change that must be shipped whole, because it has sealed rows or several events.
type outboxRow struct {
	First uint64   `json:"first"` // the index of the change's first event
	Rows  [][]byte `json:"rows"`  // the keys of the sealed rows that it touched
}

func parseOutboxRow(row []byte) (out outboxRow, err error) {
	if err := json.Unmarshal(row, &out); err != nil {
		return out, fmt.Errorf("an outbox row cannot be read: %w", ErrDamaged)
	}
	return out, nil
}

// insideChange says whether the entry at index at belongs to a change that began before it.
func insideChange(r Reader, at uint64) (inside bool, err error) {
	err = r.Scan(outboxTable, Range{From: indexKey(at)}, func(_, row []byte) error {
		out, err := parseOutboxRow(row)
		if err != nil {
			return err
		}
		inside = out.First < at
		return Stop
	})
	return inside, err
}

// shippedTable holds how far the journal was released, so that a bucket that lost its head is noticed.
var (
	shippedTable = Table{Volatile, "shipped"}
	shippedKey   = []byte("size")
	// shippedUnder has the number of the shipping key of the newest released head that this backend knows.
	shippedUnder = []byte("key")
)

// pruneOutbox drops shipped changes from the outbox. It is part of a group's transaction, so that it costs none of its
// own.
func (g *group) pruneOutbox(j *Journal) error {
	shipped := j.swapped.Load()
	if j.provisional.Load() { // nothing has authenticated the released head
		return nil
	}
	if shipped == nil || shipped.Size == 0 {
		return nil
	}
	g.set(shippedTable, shippedKey, indexKey(shipped.Size))
	g.set(shippedTable, shippedUnder, indexKey(uint64(shipped.Key)))
	var done [][]byte
	err := g.Scan(outboxTable, Range{To: indexKey(shipped.Size)}, func(key, _ []byte) error {
		done = append(done, bytes.Clone(key))
		return nil
	})
	if err != nil {
		return fmt.Errorf("pruning the outbox: %w", err)
	}
	for _, key := range done {
		g.set(outboxTable, key, nil)
	}
	return nil
}

// refillOutbox puts every sealed row into the outbox, beside the event that binds it, so that all of them are shipped
// from the first entry on. It may be repeated.
func refillOutbox(ctx context.Context, b Backend) error {
	bound := &cursor{backend: b, table: boundTable}
	for {
		var rows []*row
		for len(rows) < chunkRows {
			next, err := bound.next(ctx)
			if err != nil {
				return fmt.Errorf("listing the sealed rows: %w", err)
			}
			if next == nil {
				break
			}
			rows = append(rows, next)
		}
		if len(rows) == 0 {
			return nil
		}
		err := b.Update(ctx, func(tx Txn) error {
			for _, bound := range rows {
				if err := refillOutboxRow(tx, bound.key, bound.value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("putting the sealed rows into the outbox: %w", err)
		}
	}
}

func refillOutboxRow(tx Txn, key, at []byte) error {
	first, err := parseIndex(at)
	if err != nil {
		return err
	}
	out := outboxRow{First: first}
	row, err := tx.Get(outboxTable, at)
	if err != nil {
		return err
	}
	if row != nil {
		if out, err = parseOutboxRow(row); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(out.Rows, func(k []byte) bool { return bytes.Equal(k, key) }) {
		return nil
	}
	out.Rows = append(out.Rows, key)
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return tx.Put(outboxTable, at, raw)
}
