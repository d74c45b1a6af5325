package journal

import (
	"context"
	"errors"
	"fmt"
)

// missingBatch says of a chain of shipped batches that is broken below a size which batch is at fault, and from which leaf
// on the history is lost. want is the name of the batch that was shipped there; it may have been merged with others
// since. ending has the names of all batches by the size that they lead to.
func missingBatch(ctx context.Context, b Bucket, want string, end uint64, ending map[uint64][]string) error {
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

// intactSize is how far a chain of whole batches reaches from the first leaf on.
func intactSize(ctx context.Context, b Bucket, ending map[uint64][]string) (reached uint64, err error) {
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
	// Of several that begin at one place, leavings of a broken release among them, each is followed.
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

// unusable says of an error that the batch is not there, or not whole: another may serve, and a retry would not help.
func unusable(err error) bool {
	return errors.Is(err, ErrNoObject) || errors.Is(err, errBatch) || errors.Is(err, ErrDamaged)
}
