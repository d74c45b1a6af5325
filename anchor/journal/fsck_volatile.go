package journal

import (
	"context"
	"encoding/json"
)

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
