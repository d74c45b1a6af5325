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
