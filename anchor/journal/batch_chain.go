package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// missingBatch makes the error for a chain of batches in which none ends at the size end: it names the batch at fault,
// and the leaf from which on the history is lost. want is the batch that was shipped there, and may have been merged
// with others since. ending has the names of all batches by the size at which they end.
func missingBatch(ctx context.Context, b shipped, want string, end uint64, ending map[uint64][]string) error {
	fault := fmt.Sprintf("%s, or the batch that it was merged into, is missing", want)
	for _, name := range ending[end] {
		switch _, _, err := getBatch(ctx, b, name); {
		case err == nil:
			fault = name + " is of another history"
		case !unusable(err):
			return err
		case !errors.Is(err, ErrNoObject):
			fault = name + " is damaged"
		}
	}
	whole, err := intactSize(ctx, b, ending)
	if err != nil {
		return err
	}
	return fmt.Errorf("the shipped batch %s: the leaves from %d on cannot be restored from here: %w",
		fault, whole, ErrDamaged)
}

// intactSize is the size up to which a chain of whole batches leads from the first leaf.
func intactSize(ctx context.Context, b shipped, ending map[uint64][]string) (reached uint64, err error) {
	beginning := map[uint64][]batchHeader{}
	for end, names := range ending {
		for _, name := range names {
			h, _, err := getBatch(ctx, b, name)
			switch {
			case err == nil && h.First+h.Count == end:
				beginning[h.First] = append(beginning[h.First], h)
			case err != nil && !unusable(err):
				return 0, err
			}
		}
	}
	// Several may begin at one leaf, orphans of an interrupted release among them: each is followed.
	for open := beginning[0]; len(open) > 0; open = open[1:] {
		end := open[0].First + open[0].Count
		reached = max(reached, end)
		for _, next := range beginning[end] {
			if next.PrevRoot == open[0].Root {
				open = append(open, next)
			}
		}
	}
	return reached, nil
}

// unusable says whether an error means that the batch is missing or damaged: a retry does not help, but another batch
// may take its place.
func unusable(err error) bool {
	return errors.Is(err, ErrNoObject) || errors.Is(err, errBatch) || errors.Is(err, ErrDamaged)
}

// eachBatch calls fn for each batch from the one that holds the leaf from up to the released head, oldest first, the
// head's tail included.
func eachBatch(ctx context.Context, b shipped, head *releasedHead, from uint64,
	fn func(name string, h batchHeader, items []batchItem) error) error {
	chain, err := chainTo(ctx, b, head, from)
	if err != nil {
		return err
	}
	for _, name := range chain {
		h, items, err := getBatch(ctx, b, name)
		if err != nil {
			return err
		}
		if err := fn(name, h, items); err != nil {
			return err
		}
	}
	if head.tail == nil {
		return nil
	}
	return fn("in the head", head.tail.header, head.tail.items)
}

// chainTo lists the batches from the one that holds the leaf from up to the released head or its tail, oldest first.
// Each batch names the one before it; if that was merged into another, the merged one ends at the same leaf with the
// same root.
func chainTo(ctx context.Context, b shipped, head *releasedHead, from uint64) ([]string, error) {
	names, err := b.List(ctx, batchPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing the shipped batches: %w", err)
	}
	ending := map[uint64][]string{}
	for _, name := range names {
		first, count, err := parseBatchName(name)
		if err != nil || count == 0 || first+count < first {
			continue // not one of ours
		}
		ending[first+count] = append(ending[first+count], name)
	}
	var chain []string
	want, end, root := head.LastBatch, head.Size, head.Root
	if head.tail != nil {
		end, root = head.tail.header.First, head.tail.header.PrevRoot
	}
	for end > from {
		name, h, err := findBatch(ctx, b, want, ending[end], root, head.Key)
		if errors.Is(err, ErrDamaged) {
			err = missingBatch(ctx, b, want, end, ending)
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the batch that ends at %d: %w", end, err)
		}
		chain = append(chain, name)
		want, end, root = h.Prev, h.First, h.PrevRoot
	}
	slices.Reverse(chain)
	return chain, nil
}

// findBatch finds the batch that leads to a root: the one named, or one that replaces it. Batches under another
// shipping key than the head's do not count: they are from before the key was changed.
func findBatch(ctx context.Context, b shipped, want string, candidates []string, root Hash, key int) (string,
	batchHeader, error) {
	// The batch that is named is tried first: the others may be orphans of an interrupted release.
	slices.SortStableFunc(candidates, func(x, y string) int {
		switch {
		case x == want && y != want:
			return -1
		case y == want && x != want:
			return 1
		}
		return 0
	})
	for _, name := range candidates {
		h, _, err := getBatch(ctx, b, name)
		if unusable(err) {
			continue
		}
		if err != nil {
			return "", batchHeader{}, err
		}
		if h.Root == root && h.Key == key {
			return name, h, nil
		}
	}
	return "", batchHeader{}, fmt.Errorf("no shipped batch ends there with the right root: %w", ErrDamaged)
}
