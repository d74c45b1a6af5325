package journal

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

// Sizer is a [Bucket] that tells the sizes of its objects with their names, as a listing of an object store does. The
// batches that an earlier process has left unmerged are found with it without reading any.
type Sizer interface {
	// Sizes returns the sizes in bytes of the objects with the prefix, by name.
	Sizes(ctx context.Context, prefix string) (map[string]int64, error)
}

// listed is a batch as its name tells of it.
type listed struct {
	name       string
	first, end uint64
	size       int64 // in bytes; -1 when the bucket does not tell
}

// listBatches lists the batches in the order of their first leaves, the longest first where several begin at one leaf.
// Objects whose names are not those of batches are left out.
func listBatches(ctx context.Context, b Bucket) ([]listed, error) {
	sizes, err := sizesOf(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("listing the shipped batches: %w", err)
	}
	var all []listed
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		first, count, err := parseBatchName(name)
		if err != nil || count == 0 || first+count < first {
			continue // not one of ours
		}
		all = append(all, listed{name, first, first + count, sizes[name]})
	}
	slices.SortStableFunc(all, func(x, y listed) int {
		return cmp.Or(cmp.Compare(x.first, y.first), cmp.Compare(y.end, x.end))
	})
	return all, nil
}

// sizesOf lists the batches' names with their sizes, -1 each where the bucket does not tell.
func sizesOf(ctx context.Context, b Bucket) (map[string]int64, error) {
	if s, ok := b.(Sizer); ok {
		return s.Sizes(ctx, batchPrefix)
	}
	names, err := b.List(ctx, batchPrefix)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(names))
	for _, name := range names {
		sizes[name] = -1
	}
	return sizes, nil
}

// Leaves is a range of leaves: the first, and how many.
type Leaves struct {
	First uint64 `json:"first"`
	Count uint64 `json:"count"`
}

// coverage is how batches lead from the first leaf to a size: the batches that do, oldest first, and the leaves between
// them that none holds.
type coverage struct {
	path []listed
	gaps []Leaves
	// unclear is why some batches of the path could not be read, though the bucket answers.
	unclear error
}

// cover finds the batches that lead to the size end and leave as few leaves out as can be, and among these the longest
// ones. It goes by names alone.
func cover(batches []listed, end uint64) coverage {
	places := []uint64{0, end}
	ending := map[uint64][]listed{}
	for _, b := range batches {
		if b.end <= end {
			ending[b.end] = append(ending[b.end], b)
			places = append(places, b.first, b.end)
		}
	}
	slices.Sort(places)
	places = slices.Compact(places)
	type step struct {
		missing uint64 // leaves that are left out up to here
		by      listed // the batch that leads here; without a name: nothing does
	}
	best := make(map[uint64]step, len(places))
	best[0] = step{}
	for i, at := range places {
		if i == 0 {
			continue
		}
		before := places[i-1]
		found := step{missing: best[before].missing + at - before, by: listed{first: before, end: at}}
		for _, b := range ending[at] { // the longest first
			if missing := best[b.first].missing; missing < found.missing || found.by.name == "" &&
				missing == found.missing {
				found = step{missing, b}
			}
		}
		best[at] = found
	}
	var c coverage
	for at := end; at > 0; at = best[at].by.first {
		by := best[at].by
		switch n := len(c.gaps); {
		case by.name != "":
			c.path = append(c.path, by)
		case n > 0 && c.gaps[n-1].First == at:
			c.gaps[n-1] = Leaves{by.first, c.gaps[n-1].First + c.gaps[n-1].Count - by.first}
		default:
			c.gaps = append(c.gaps, Leaves{by.first, at - by.first})
		}
	}
	slices.Reverse(c.path)
	slices.Reverse(c.gaps)
	return c
}
