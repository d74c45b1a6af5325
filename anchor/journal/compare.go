package journal

import (
	"context"
	"fmt"
)

// Comparison tells the state of a journal that is not open beside that of its release bucket.
type Comparison struct {
	Origin   string
	Size     uint64 // committed
	Released uint64 // the released head's; more than Size where the next Open catches up
	// Missing says how many released leaves no batch of the bucket holds, going by the batches' names, and which is
	// the first of them.
	Missing Leaves
}

// Compare reads both heads and changes nothing. Either may be missing: backend may be nil, and the bucket may be empty.
// Without keys, nothing is authenticated; with them, ErrKeysUnavailable. ErrMissing when both are; ErrContradicts when
// they hold different histories, or the bucket lost a head that it had; ErrDamaged.
func Compare(ctx context.Context, backend Backend, bucket Bucket, keys ShippingKeys) (Comparison, error) {
	s, err := compare(ctx, backend, openShipped(bucket, keys))
	if err != nil {
		return s, fmt.Errorf("comparing the journal with the released head: %w", err)
	}
	return s, nil
}

func compare(ctx context.Context, backend Backend, bucket shipped) (s Comparison, err error) {
	released, err := readReleased(ctx, bucket)
	if err != nil {
		return s, err
	}
	if released != nil {
		s.Origin, s.Released = released.Origin, released.Size
		batches, err := listBatches(ctx, bucket)
		if err != nil {
			return s, err
		}
		for i, gap := range cover(batches, released.end()).gaps {
			if i == 0 {
				s.Missing.First = gap.First
			}
			s.Missing.Count += gap.Count
		}
	}
	if backend == nil {
		if released == nil {
			err = ErrMissing
		}
		return s, err
	}
	head, known, shipped, err := readState(ctx, backend)
	switch {
	case err != nil:
		return s, err
	case !known && released == nil:
		return s, ErrMissing
	case !known:
		return s, nil
	}
	s.Size = head.Size
	if released == nil {
		s.Origin = head.Origin
	}
	return s, contradiction(ctx, backend, bucket, head, shipped, released)
}

// checkNothingBeyond is asked where the bucket has no head object. It refuses a bucket whose batches end after the
// backend's log: they are later parts of its history, and the backend is an old copy that was never told of a release.
// A first release that broke off before it wrote its head leaves no such batch.
func checkNothingBeyond(ctx context.Context, b shipped, head Head) error {
	names, err := b.List(ctx, batchPrefix)
	if err != nil {
		return fmt.Errorf("listing the shipped batches: %w", err)
	}
	for _, name := range names {
		if first, count, err := parseBatchName(name); err == nil && first+count > head.Size {
			return fmt.Errorf("the release bucket has no head object, and its batch %s ends after the local journal "+
				"(size %d): %w", name, head.Size, ErrContradicts)
		}
	}
	return nil
}

// contradiction returns an error if a backend with this head (or none) and the released head cannot be of one history.
// Whether the batches really lead from one to the other shows when the journal catches up. It changes nothing.
func contradiction(ctx context.Context, backend Backend, b shipped, head Head, shipped uint64,
	released *releasedHead) error {
	switch {
	case released == nil && shipped > 0:
		return fmt.Errorf("the release bucket has lost its head object, which was at size %d or later: %w",
			shipped, ErrContradicts)
	case released == nil:
		return checkNothingBeyond(ctx, b, head)
	case released.Size < shipped:
		return fmt.Errorf("the released head is at size %d, and was at %d or later: %w",
			released.Size, shipped, ErrContradicts)
	case head.Origin != "" && head.Origin != released.Origin:
		return fmt.Errorf("its origin is %s, that of the released head %s: %w",
			head.Origin, released.Origin, ErrContradicts)
	case head.Size < released.Size:
		return backend.View(ctx, func(r Reader) error { return checkShippedUnder(r, released) })
	}
	return backend.View(ctx, func(r Reader) error {
		if err := checkShippedUnder(r, released); err != nil {
			return err
		}
		root, err := rootAt(r, released.Size)
		if err == nil && root != released.Root {
			err = fmt.Errorf("its head is at size %d, and at %d its root is %s, that of the released head %s: %w",
				head.Size, released.Size, root, released.Root, ErrContradicts)
		}
		return err
	})
}

// checkShippedUnder refuses a released head under an earlier shipping key than one that was released before.
func checkShippedUnder(r Reader, released *releasedHead) error {
	row, err := r.Get(shippedTable, shippedUnder)
	if err != nil || row == nil {
		return err
	}
	number, err := parseIndex(row)
	if err == nil && uint64(released.Key) < number {
		err = fmt.Errorf("the released head is under shipping key %d, and was under key %d: %w",
			released.Key, number, ErrContradicts)
	}
	return err
}

// readState reads the log's head, and the size up to which it was shipped as far as the backend knows.
func readState(ctx context.Context, b Backend) (head Head, ok bool, shipped uint64, err error) {
	err = b.View(ctx, func(r Reader) error {
		if head, ok, err = readHead(r); err != nil {
			return err
		}
		row, err := r.Get(shippedTable, shippedKey)
		if err == nil && row != nil {
			shipped, err = parseIndex(row)
		}
		return err
	})
	return head, ok, shipped, err
}
