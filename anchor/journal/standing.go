package journal

import (
	"context"
	"fmt"
)

// Standing is how a journal that nobody has open stands to what was released.
type Standing struct {
	Origin   string
	Size     uint64 // committed
	Released uint64 // the released head's; more than Size where the next Open catches up
}

// Compare reads both heads and changes nothing. Either may be missing: backend may be nil, and the bucket may be empty.
// ErrMissing when both are; ErrContradicts when they hold different histories, or the bucket lost a head that it had;
// ErrDamaged.
func Compare(ctx context.Context, backend Backend, bucket Bucket) (Standing, error) {
	s, err := compare(ctx, backend, bucket)
	if err != nil {
		return s, fmt.Errorf("comparing the journal with the released head: %w", err)
	}
	return s, nil
}

func compare(ctx context.Context, backend Backend, bucket Bucket) (s Standing, err error) {
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
	var (
		head    Head
		known   bool
		shipped uint64
	)
	err = backend.View(ctx, func(r Reader) error {
		if head, known, err = readHead(r); err != nil {
			return err
		}
		row, err := r.Get(shippedTable, shippedKey)
		if err == nil && row != nil {
			shipped, err = index(row)
		}
		return err
	})
	switch {
	case err != nil:
		return s, err
	case !known && released == nil:
		return s, ErrMissing
	case !known:
		return s, nil
	}
	s.Size = head.Size
	switch {
	case s.Released < shipped:
		return s, fmt.Errorf("the released head is at %d, and was at %d or later: %w", s.Released, shipped, ErrContradicts)
	case released == nil:
		s.Origin = head.Origin
		return s, nothingBeyond(ctx, bucket, head)
	case head.Origin != released.Origin:
		return s, fmt.Errorf("its origin is %s, that of the released head %s: %w", head.Origin, released.Origin, ErrContradicts)
	}
	return s, backend.View(ctx, func(r Reader) error {
		if head.Size < released.Size { // whether the batches lead from here to there is for Open to see
			return nil
		}
		root, err := rootAt(r, released.Size)
		if err == nil && root != released.Root {
			err = fmt.Errorf("at size %d its root is another than the released one: %w", released.Size, ErrContradicts)
		}
		return err
	})
}
