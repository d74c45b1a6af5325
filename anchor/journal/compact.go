package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

const (
	compactAfter = 256      // batches are merged into one
	compactBytes = 32 << 20 // or as many as hold this much
	largeBatch   = 4 << 20  // a larger batch is not merged: that would only copy it
)

// shipment is a batch that was shipped and is not merged yet.
type shipment struct {
	name       string
	first, end uint64
	size       int
}

// recordShipment notes a shipped batch for compaction. Only batches that follow each other without a gap can be merged,
// so a batch of another gateway in between starts the list anew.
func (j *Journal) recordShipment(name string, h batchHeader, size int) {
	j.shipmentsMu.Lock()
	defer j.shipmentsMu.Unlock()
	j.shipments = appendShipment(j.shipments, shipment{name, h.First, h.First + h.Count, size})
}

func appendShipment(list []shipment, s shipment) []shipment {
	if n := len(list); n > 0 && list[n-1].end != s.first {
		list = nil
	}
	if s.size > largeBatch {
		return nil
	}
	return append(list, s)
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

// mergeWaiting merges the batches that have been shipped, as soon as they are enough. An error says that a batch among
// them is gone or damaged; they then stay as they are.
func (j *Journal) mergeWaiting(ctx context.Context) error {
	j.batches.mu.Lock()
	defer j.batches.mu.Unlock()
	return j.mergeNext(ctx)
}

// mergeNext merges what is enough to be merged. The caller holds the keeper's lock.
func (j *Journal) mergeNext(ctx context.Context) error {
	for names := j.nextMerge(); names != nil; names = j.nextMerge() {
		if err := j.merge(ctx, names); err != nil {
			return err
		}
	}
	return nil
}

// merge merges batches, if they are several. It returns an error only if one of them is of no use, which the next look
// then knows; after another one they stay as they are, which harms nobody.
func (j *Journal) merge(ctx context.Context, names []string) error {
	if len(names) < 2 {
		return nil // a single batch near the size limit gains nothing
	}
	key, err := j.bucket.keys.get(ctx, j.swapped.Load().Key)
	if err == nil {
		err = mergeBatches(ctx, j.bucket, j.schema, names, key)
	}
	if err != nil && ctx.Err() == nil {
		j.cfg.Log.Warn("shipped batches could not be merged; they stay as they are", "error", err)
	}
	if !unusable(err) {
		return nil
	}
	for _, name := range names {
		if _, _, err := getBatch(ctx, j.bucket, name); unusable(err) {
			j.batches.broken[name] = err
		}
	}
	return err
}

// deleteLeftovers deletes the batches whose leaves are in others, which were read and are whole: what a merge that was
// broken off has not deleted, what a release that was interrupted has shipped and nobody followed, and damaged ones in
// whose place others were shipped. The newest is deleted first, as after a merge.
func (j *Journal) deleteLeftovers(ctx context.Context, head *releasedHead, all []listed, c *coverage) error {
	r := &batchReader{j: j, head: head, tried: map[string]bool{}}
	onPath := map[string]bool{}
	for _, b := range c.path {
		onPath[b.name] = true
	}
	for _, b := range slices.Backward(all) {
		if onPath[b.name] || b.name == head.LastBatch && j.batches.broken[b.name] == nil {
			continue
		}
		for _, other := range c.overlapping(b) {
			if j.batches.whole[other.name] != head.Key && !r.read(ctx, other) {
				return fmt.Errorf("the shipped batch %s is of no use: %w", other.name, ErrDamaged)
			}
		}
		if err := errors.Join(r.err, r.unclear); err != nil {
			return err
		}
		switch h, _, err := getBatch(ctx, j.bucket, b.name); {
		case err != nil && !unusable(err):
			return err
		case err == nil && h.Key > head.Key: // the head may lead there already, and its answer was lost
			continue
		}
		if err := j.cfg.Bucket.Delete(ctx, b.name); err != nil {
			return fmt.Errorf("deleting a batch that others have replaced: %w", err)
		}
		j.cfg.Log.Info("a batch that others have replaced was deleted", "batch", b.name)
	}
	return nil
}

// mergeOld merges the batches that an earlier process has shipped and not merged, and notes those for compaction that
// are not enough yet. It goes by the sizes that the bucket tells; where it tells none, only what this process ships is
// merged.
func (j *Journal) mergeOld(ctx context.Context, head *releasedHead, c *coverage) error {
	var run []shipment // of batches that follow each other and are not large
	for _, b := range c.path {
		if b.size < 0 {
			return nil
		}
		next := shipment{b.name, b.first, b.end, int(b.size)}
		if longer := appendShipment(run, next); len(longer) > len(run) {
			run = longer
			continue
		}
		// A large batch ends the run: nothing will be added to it any more.
		if err := j.mergeRun(ctx, run); err != nil {
			return err
		}
		run = appendShipment(nil, next)
	}
	j.noteUnmerged(run, head.end())
	return j.mergeNext(ctx)
}

// noteUnmerged puts batches that an earlier process has shipped before those that this one has shipped since.
func (j *Journal) noteUnmerged(run []shipment, end uint64) {
	j.shipmentsMu.Lock()
	defer j.shipmentsMu.Unlock()
	for _, later := range j.shipments {
		if later.end > end {
			run = appendShipment(run, later)
		}
	}
	j.shipments = run
}

// mergeRun merges batches that follow each other, as many at a time as one may hold.
func (j *Journal) mergeRun(ctx context.Context, run []shipment) error {
	var names []string
	size := 0
	for _, s := range run {
		if len(names) == compactAfter || size+s.size > compactBytes {
			if err := j.merge(ctx, names); err != nil {
				return err
			}
			names, size = nil, 0
		}
		names, size = append(names, s.name), size+s.size
	}
	return j.merge(ctx, names)
}

// mergeBatches ships one batch that replaces several that follow each other, and then deletes these. It keeps the last
// write of each sealed row only, so that erased rows leave the bucket.
func mergeBatches(ctx context.Context, b shipped, s *schema, names []string, key *shippingKey) error {
	var (
		merged batchHeader
		items  []batchItem
	)
	for i, name := range names {
		h, more, err := getBatch(ctx, b, name)
		if err != nil {
			return err
		}
		if h.Key != key.number { // nothing that an earlier key authenticates comes under the present one
			return fmt.Errorf("the shipped batch %s is under shipping key %d, not %d", name, h.Key, key.number)
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
	items = lastWrites(items)
	if err := s.checkItems(merged.First, items); err != nil {
		return fmt.Errorf("reading a merged batch before it is shipped: %w", err)
	}
	raw, err := appendBatch(merged, items, key)
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
