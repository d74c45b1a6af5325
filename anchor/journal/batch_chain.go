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
// Each batch names the one before it; if that was merged into another or shipped again, another one ends at the same
// leaf with the same root. A batch from which no way leads further back is passed over for another that ends there.
func chainTo(ctx context.Context, b shipped, head *releasedHead, from uint64) ([]string, error) {
	all, err := listBatches(ctx, b)
	if err != nil {
		return nil, err
	}
	ending := map[uint64][]string{}
	for _, one := range all {
		ending[one.end] = append(ending[one.end], one.name)
	}
	want, end, root := head.LastBatch, head.Size, head.Root
	if head.tail != nil {
		end, root = head.tail.header.First, head.tail.header.PrevRoot
	}
	first := link{want: want, place: place{end, root}, candidates: candidates(want, ending[end])}
	chain := []*link{&first}
	dead := map[place]bool{} // from which no way leads back
	for lowest := first; ; {
		last := chain[len(chain)-1]
		if last.end <= from {
			break
		}
		name, h, err := last.next(ctx, b, head.Key, dead)
		switch {
		case errors.Is(err, ErrDamaged) && len(chain) > 1:
			dead[last.place] = true
			chain = chain[:len(chain)-1]
			continue
		case errors.Is(err, ErrDamaged):
			err = missingBatch(ctx, b, lowest.want, lowest.end, ending)
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the batch that ends at %d: %w", lowest.end, err)
		}
		next := &link{name: name, want: h.Prev, place: place{h.First, h.PrevRoot},
			candidates: candidates(h.Prev, ending[h.First])}
		if chain = append(chain, next); next.end < lowest.end {
			lowest = *next
		}
	}
	var names []string
	for _, one := range slices.Backward(chain[1:]) {
		names = append(names, one.name)
	}
	return names, nil
}

// place is where a batch ends: a size of the log, and the root that it has there.
type place struct {
	end  uint64
	root Hash
}

// link is a place in a chain of batches that is followed backwards, with the batch that led there and those that may
// lead further.
type link struct {
	place
	name       string   // of the batch that begins here; empty for the head
	want       string   // the batch that is named as the one before
	candidates []string // that end here, and have not been tried yet
}

// next finds the next batch that ends here with the right root and does not begin at a dead place; ErrDamaged when
// there is none. Batches under another shipping key than the head's do not count: they are from before the key was
// changed.
func (l *link) next(ctx context.Context, b shipped, key int, dead map[place]bool) (string, batchHeader, error) {
	for len(l.candidates) > 0 {
		name := l.candidates[0]
		l.candidates = l.candidates[1:]
		h, _, err := getBatch(ctx, b, name)
		if unusable(err) {
			continue
		}
		if err != nil {
			return "", batchHeader{}, err
		}
		if h.Root == l.root && h.First < l.end && h.Key == key && !dead[place{h.First, h.PrevRoot}] {
			return name, h, nil
		}
	}
	return "", batchHeader{}, fmt.Errorf("no shipped batch ends there with the right root: %w", ErrDamaged)
}

// candidates are the batches that end at a place, the one that is named first: the others may be orphans of an
// interrupted release.
func candidates(want string, ending []string) []string {
	out := slices.Clone(ending)
	slices.SortStableFunc(out, func(x, y string) int {
		switch {
		case x == want && y != want:
			return -1
		case y == want && x != want:
			return 1
		}
		return 0
	})
	return out
}
