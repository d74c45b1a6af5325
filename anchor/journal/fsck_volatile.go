package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
)

// compareVolatile checks that the rows that no event explains can be read.
func (f *fsck) compareVolatile(ctx context.Context) error {
	return f.cfg.Backend.View(ctx, func(r Reader) error {
		err := r.Scan(changeTable, Range{}, func(key, value []byte) error {
			if len(key) != 8 || len(value) != 8 {
				f.found(changeTable, key, "it cannot be read")
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
		if err := f.checkFailedDuties(r); err != nil {
			return err
		}
		if err := r.Scan(databaseTable, Range{}, func(key, value []byte) error {
			if !bytes.Equal(key, databaseKey) || len(value) != len(ID{}) || !ID(value).isV7() {
				f.found(databaseTable, key, "it cannot be read")
			}
			return nil
		}); err != nil {
			return err
		}
		if err := f.checkShipped(r); err != nil {
			return err
		}
		if err := f.checkUnindexed(r); err != nil {
			return err
		}
		unfinished, err := r.Get(unfinishedTable, unfinishedKey)
		if err != nil {
			return err
		}
		if unfinished != nil {
			f.found(unfinishedTable, unfinishedKey, "a start was broken off before it had removed the lookup tokens "+
				"of erased rows; the next start does")
		}
		return nil
	})
}

// checkFailedDuties looks for rows about failed duties that cannot be read, or that would keep a duty from being tried
// again.
func (f *fsck) checkFailedDuties(r Reader) error {
	return r.Scan(failedTable, Range{}, func(key, value []byte) error {
		kind, _, ok := bytes.Cut(key, []byte{0})
		failed, owed := failedDuty{}, make([]byte, len(ID{}))
		d, err := parseDuty(string(kind), key, owed)
		if !ok || err != nil || json.Unmarshal(value, &failed) != nil {
			f.found(failedTable, key, "it cannot be read")
			return nil
		}
		next, err := r.Get(retryTable, retryKey(d, failed.Next))
		if err == nil && next == nil {
			f.found(failedTable, key, "a duty that has failed would never be tried again")
		}
		return err
	})
}

// checkUnindexed looks for rows that wait for their tokens and are not there.
func (f *fsck) checkUnindexed(r Reader) error {
	return r.Scan(unindexedTable, Range{}, func(key, value []byte) error {
		row, err := SealedRow(r, key)
		if err == nil && (row == nil || !bytes.Equal(value, []byte{1})) {
			f.found(unindexedTable, key, "it names no sealed row")
		}
		f.unknownTokens[string(key)] = true
		return err
	})
}

// compareUnknownTables reports the rows of tables that this program never writes.
func (f *fsck) compareUnknownTables(ctx context.Context) error {
	tables, err := f.cfg.Backend.Tables(ctx)
	if err != nil {
		return err
	}
	ours := []Table{sealedTable, tokenTable, changeTable, leaseTable, shippedTable, unindexedTable,
		shippingKeyTable, unfinishedTable, authorityTable, databaseTable, failedTable, retryTable, reshipTable}
	for _, t := range tables {
		if t.Kind == Log || t.Kind == Projection || slices.Contains(ours, t) {
			continue
		}
		c := &cursor{backend: f.cfg.Backend, table: t}
		for {
			row, err := c.next(ctx)
			if err != nil {
				return err
			}
			if row == nil {
				break
			}
			f.found(t, row.key, "this program writes no such table")
		}
	}
	return nil
}

func (f *fsck) checkShipped(r Reader) error {
	if f.cfg.Bucket != nil && f.released != nil {
		if err := checkShippedUnder(r, f.released); errors.Is(err, ErrContradicts) || errors.Is(err, ErrDamaged) {
			f.found(shippedTable, shippedUnder, "%v", err)
		} else if err != nil {
			return err
		}
	}
	row, err := r.Get(shippedTable, shippedKey)
	if err != nil || row == nil {
		return err
	}
	size, err := parseIndex(row)
	switch {
	case err != nil:
		f.found(shippedTable, shippedKey, "it cannot be read")
	case f.cfg.Bucket != nil && (f.released == nil || size > f.released.Size):
		f.found(shippedTable, shippedKey, "it says that %d were shipped, and the release bucket has fewer",
			size)
	}
	return nil
}

// compareReleased compares the log's head with the released one.
func (f *fsck) compareReleased(ctx context.Context) error {
	if f.released == nil {
		return nil
	}
	if f.released.Size > f.replayed.size {
		f.found(headTable, headKey, "the journal ends at %d, the released head is at %d", f.replayed.size,
			f.released.Size)
		return nil
	}
	if _, err := chainTo(ctx, f.bucket, f.released, 0); errors.Is(err, ErrDamaged) {
		f.found(headTable, headKey, "the release bucket could not restore the journal: %v", err)
	} else if err != nil {
		return err
	}
	if !f.complete() {
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
