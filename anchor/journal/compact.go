package journal

import (
	"context"
	"fmt"
	"slices"
)

const (
	compactAfter = 256      // batches are merged into one
	compactBytes = 32 << 20 // or as many as hold this much
	largeBatch   = 4 << 20  // a larger batch is not merged: that would only copy it
)

// shipment is a batch that this process has shipped and not yet compacted.
type shipment struct {
	name string
	end  uint64
	size int
}

// recordShipment notes a shipped batch for compaction. Only batches that follow each other without a gap can be merged,
// so a batch of another gateway in between starts the list anew.
func (j *Journal) recordShipment(name string, h batchHeader, size int) {
	j.shipmentsMu.Lock()
	defer j.shipmentsMu.Unlock()
	if n := len(j.shipments); n > 0 && j.shipments[n-1].end != h.First {
		j.shipments = nil
	}
	if size > largeBatch {
		j.shipments = nil
		return
	}
	j.shipments = append(j.shipments, shipment{name, h.First + h.Count, size})
}

// nextMerge takes the batches to be merged next. The newest batch is never among them, for the head object names it.
func (j *Journal) nextMerge() []string {
	j.shipmentsMu.Lock()
	defer j.shipmentsMu.Unlock()
	var names []string
	size := 0
	for i := 0; i < len(j.shipments)-1; i++ {
		size += j.shipments[i].size
		if len(names) == compactAfter || size > compactBytes {
			j.shipments = j.shipments[max(i, 1):]
			return names
		}
		names = append(names, j.shipments[i].name)
	}
	return nil
}

// compact merges shipped batches in the background, so that a restore reads few objects.
func (j *Journal) compact() {
	defer j.workers.Done()
	for {
		swapped := j.swaps.wait()
		for names := j.nextMerge(); names != nil; names = j.nextMerge() {
			if len(names) < 2 {
				continue // a single batch near the size limit gains nothing
			}
			if err := mergeBatches(j.ctx, j.bucket, names, j.key.Load()); err != nil {
				if j.ctx.Err() == nil {
					j.cfg.Log.Warn("shipped batches could not be merged; they stay as they are", "error", err)
				}
				break
			}
		}
		if j.await(j.ctx, swapped) != nil {
			return
		}
	}
}

// mergeBatches ships one batch that replaces several that follow each other, and then deletes these. It keeps the last
// write of each sealed row only, so that erased rows leave the bucket.
func mergeBatches(ctx context.Context, b shipped, names []string, key *shippingKey) error {
	var (
		merged batchHeader
		items  []batchItem
	)
	for i, name := range names {
		h, more, err := getBatch(ctx, b, name)
		if err != nil {
			return err
		}
		if i == 0 {
			merged = h
			merged.Count = 0
		}
		if h.First != merged.First+merged.Count {
			return fmt.Errorf("the shipped batch %s does not follow the one before: %w", name, ErrDamaged)
		}
		merged.Count += h.Count
		merged.Root = h.Root
		items = append(items, more...)
	}
	raw, err := appendBatch(merged, lastWrites(items), key)
	if err != nil {
		return err
	}
	if _, _, err := parseBatch(raw); err != nil {
		return fmt.Errorf("reading a merged batch before it is shipped: %w", err)
	}
	if _, err := b.Put(ctx, batchName(merged, raw), raw, ""); err != nil {
		return fmt.Errorf("shipping a merged batch: %w", err)
	}
	// They are deleted newest first. A restore walks back from name to name, and takes the merged batch when a named
	// one is gone; if the oldest were gone first, it would follow names into the middle of the merged batch.
	for _, name := range slices.Backward(names) {
		if err := b.Delete(ctx, name); err != nil {
			return fmt.Errorf("deleting a merged batch: %w", err)
		}
	}
	return nil
}

// lastWrites leaves out the writes of sealed rows that later items of the same batch write again or erase.
func lastWrites(items []batchItem) []batchItem {
	last := map[string]int{}
	for i, item := range items {
		if item.kind != 'e' {
			last[string(item.key)] = i
		}
	}
	kept := items[:0:0]
	for i, item := range items {
		if item.kind == 'e' || last[string(item.key)] == i {
			kept = append(kept, item)
		}
	}
	return kept
}
