package journal

import (
	"context"
	"fmt"
)

// Comparison is how a journal that nobody has open stands to what was released.
type Comparison struct {
	Origin   string
	Size     uint64 // committed
	Released uint64 // the released head's; more than Size where the next Open catches up
}

// Compare reads both heads and changes nothing. Either may be missing: backend may be nil, and the bucket may be empty.
// ErrMissing when both are; ErrContradicts when they hold different histories, or the bucket lost a head that it had;
// ErrDamaged.
func Compare(ctx context.Context, backend Backend, bucket Bucket) (Comparison, error) {
	s, err := compare(ctx, backend, bucket)
	if err != nil {
		return s, fmt.Errorf("comparing the journal with the released head: %w", err)
	}
	return s, nil
}

func compare(ctx context.Context, backend Backend, bucket Bucket) (s Comparison, err error) {
	released, err := readReleased(ctx, bucket)
	if err != nil {
		return s, err
	}
	if released != nil {
		s.Origin, s.Released = released.Origin, released.Size
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

// checkNothingBeyond refuses to begin a head where there is none, though batches lead beyond the backend: they are the rest
// of its history, of which an old copy of it does not know that anything was released. A first release that broke off
// before its head leaves no such batch.
func checkNothingBeyond(ctx context.Context, b Bucket, head Head) error {
	names, err := b.List(ctx, batchPrefix)
	if err != nil {
		return fmt.Errorf("listing the shipped batches: %w", err)
	}
	for _, name := range names {
		if first, count, err := parseBatchName(name); err == nil && first+count > head.Size {
			return fmt.Errorf("the release bucket has lost its head, and the shipped batch %s leads beyond the journal's, at %d: %w", name, head.Size, ErrContradicts)
		}
	}
	return nil
}

// contradiction says why a backend with that head, or none, and what was released cannot be of one history; nil when
// they may be: whether the batches lead from one to the other is for catching up to see. It changes nothing.
func contradiction(ctx context.Context, backend Backend, b Bucket, head Head, shipped uint64,
	released *releasedHead) error {
	switch {
	case released == nil && shipped > 0:
		return fmt.Errorf("the release bucket has lost its head, which was at %d or later: %w", shipped, ErrContradicts)
	case released == nil:
		return checkNothingBeyond(ctx, b, head)
	case released.Size < shipped:
		return fmt.Errorf("the released head is at %d, and was at %d or later: %w",
			released.Size, shipped, ErrContradicts)
	case head.Origin != "" && head.Origin != released.Origin:
		return fmt.Errorf("its origin is %s, that of the released head %s: %w",
			head.Origin, released.Origin, ErrContradicts)
	case head.Size < released.Size:
		return nil
	}
	return backend.View(ctx, func(r Reader) error {
		root, err := rootAt(r, released.Size)
		if err == nil && root != released.Root {
			err = fmt.Errorf("its head is at size %d, and at %d its root is %s, that of the released head %s: %w",
				head.Size, released.Size, root, released.Root, ErrContradicts)
		}
		return err
	})
}

// readState reads the head and how far it is known to have been shipped.
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
