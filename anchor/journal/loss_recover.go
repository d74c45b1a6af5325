package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// recoverShipped applies the batches of the bucket that follow the backend's log without a gap.
func recoverShipped(ctx context.Context, cfg Config, s *schema) error {
	origin := ""
	var tail *batch
	released, err := readReleased(ctx, cfg.Bucket)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	if released != nil {
		origin, tail = released.Origin, released.tail
	}
	names, err := orderByReach(ctx, cfg.Bucket, released)
	if err != nil {
		return err
	}
	apply := func(h batchHeader, items []batchItem) (bool, error) {
		err := applyBatch(ctx, cfg, s, origin, h, items)
		if errors.Is(err, ErrContradicts) || errors.Is(err, ErrDamaged) {
			return false, nil // of another history, or beyond a gap
		}
		return err == nil, err
	}
	for more := true; more; {
		more = false
		for _, name := range names {
			h, items, err := getBatch(ctx, cfg.Bucket, name)
			if unusable(err) {
				continue
			}
			if err != nil {
				return err
			}
			applied, err := apply(h, items)
			if err != nil {
				return err
			}
			more = more || applied
		}
	}
	if tail != nil {
		if _, err := apply(tail.header, tail.items); err != nil {
			return err
		}
	}
	return dropTokens(ctx, cfg.Backend)
}

// orderByReach lists the batches: first those of chains that end at the released head, then those of chains that end
// furthest. If two batches begin at one leaf, one is the orphan of a release that was interrupted before it swapped the
// head, and another server went on without it: entries that were never released must not take the place of released
// ones.
func orderByReach(ctx context.Context, b Bucket, released *releasedHead) ([]string, error) {
	names, err := b.List(ctx, batchPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing the shipped batches: %w", err)
	}
	reach := map[string]uint64{}
	following := map[uint64][]batchHeader{} // by their first leaf
	reached := map[batchHeader]uint64{}
	if released != nil && released.tail != nil {
		last := released.tail.header
		following[last.First], reached[last] = []batchHeader{last}, ^uint64(0)
	}
	for _, name := range slices.Backward(names) { // in descending order, so that the batches that follow one are known
		h, _, err := getBatch(ctx, b, name)
		if unusable(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		end := h.First + h.Count
		furthest := end
		if released != nil && end == released.Size && h.Root == released.Root {
			furthest = ^uint64(0)
		}
		for _, next := range following[end] {
			if next.PrevRoot == h.Root {
				furthest = max(furthest, reached[next])
			}
		}
		following[h.First] = append(following[h.First], h)
		reached[h], reach[name] = furthest, furthest
	}
	slices.SortStableFunc(names, func(x, y string) int { return cmp.Compare(reach[y], reach[x]) })
	return names, nil
}
