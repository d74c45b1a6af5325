package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// recoverShipped applies the batches of the bucket that follow the backend's log without a gap.
func (j *Journal) recoverShipped(ctx context.Context) error {
	origin := ""
	var last *tail
	released, err := readReleased(ctx, j.bucket)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	if released != nil {
		origin, last = released.Origin, released.tail
	}
	key, err := j.recoveryKey(ctx, released)
	if err != nil {
		return err
	}
	names, err := orderByReach(ctx, j.bucket, released)
	if err != nil {
		return err
	}
	apply := func(h batchHeader, items []batchItem) (bool, error) {
		under, err := j.bucket.keys.get(ctx, h.Key)
		if err != nil {
			return false, err
		}
		err = applyBatch(ctx, j.cfg.Backend, j.schema, under, origin, h, items)
		if errors.Is(err, ErrContradicts) || errors.Is(err, ErrDamaged) {
			return false, nil // of another history, or beyond a gap
		}
		return err == nil, err
	}
	for more := true; more; {
		more = false
		for _, name := range names {
			h, items, err := getBatch(ctx, j.bucket, name)
			if unusable(err) || err == nil && h.Key < key.number {
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
	if last != nil {
		if _, err := apply(last.header, last.items); err != nil {
			return err
		}
	}
	return finishCatchUp(ctx, j.cfg.Backend)
}

// recoveryKey is the shipping key of what survives: the backend's, else the released head's, else the newest of the
// bucket.
func (j *Journal) recoveryKey(ctx context.Context, released *releasedHead) (*shippingKey, error) {
	if key := j.key.Load(); key != nil {
		return key, nil
	}
	if released != nil {
		return j.bucket.keys.get(ctx, released.Key)
	}
	newest, err := newestKey(ctx, j.bucket)
	if err == nil && newest == 0 {
		err = ErrMissing
	}
	if err != nil {
		return nil, err
	}
	return j.bucket.keys.get(ctx, newest)
}

// newestKey is the largest number of a wrapped shipping key in a bucket; 0 when it has none.
func newestKey(ctx context.Context, b Bucket) (newest int, err error) {
	names, err := b.List(ctx, keyPrefix)
	if err != nil {
		return 0, fmt.Errorf("listing the wrapped shipping keys: %w", err)
	}
	for _, name := range names {
		if number, ok := parseKeyObject(name); ok {
			newest = max(newest, number)
		}
	}
	return newest, nil
}

// orderByReach lists the batches: first those of chains that end at the released head, then those of chains that end
// furthest. If two batches begin at one leaf, one is the orphan of a release that was interrupted before it swapped the
// head, and another server went on without it: entries that were never released must not take the place of released
// ones.
func orderByReach(ctx context.Context, b shipped, released *releasedHead) ([]string, error) {
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
