package journal

import (
	"context"
	"fmt"
	"slices"
)

const (
	compactAfter = 256      // batches are merged into one
	compactBytes = 32 << 20 // or as many as hold this much
	largeBatch   = 4 << 20  // is left as it is: merging it would only move it
)

// shipment is a batch that this process has shipped and not yet compacted.
type shipment struct {
	name string
	end  uint64
	size int
}

// remember notes a shipped batch for compaction. Only runs without gaps can be merged: another gateway's batch ends
// one.
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
				continue // one that is as large as several
			}
			if err := mergeBatches(j.ctx, j.cfg.Bucket, names); err != nil {
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

// mergeBatches puts one batch in the place of several that follow each other, and then deletes these. Of several writes
// of one sealed row only the last is kept, so what was erased meanwhile is not shipped any longer.
func mergeBatches(ctx context.Context, b Bucket, names []string) error {
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
	raw, err := appendBatch(merged, lastWrites(items))
	if err != nil {
		return err
	}
	if _, _, err := parseBatch(raw); err != nil {
		return fmt.Errorf("reading a merged batch before it is shipped: %w", err)
	}
	if _, err := b.Put(ctx, batchName(merged, raw), raw, ""); err != nil {
		return fmt.Errorf("shipping a merged batch: %w", err)
	}
	// Newest first: a restore walks back by names, and takes the merged batch as soon as a named one is gone. Were the
	// oldest gone first, it would come to a name that is there, and from it to one that is not.
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
