package journal

import (
	"context"
	"fmt"
)

// AwaitCheckpoint waits until a checkpoint of the first size entries, or of more, is signed, and returns the newest.
func (j *Journal) AwaitCheckpoint(ctx context.Context, size uint64) (Checkpoint, error) {
	if size > 0 {
		j.requestRelease(size - 1)
	}
	for {
		signed := j.checkpoints.wait()
		if c := j.Checkpoint(); c.Size >= size {
			return c, nil
		}
		if err := j.await(ctx, signed); err != nil {
			return Checkpoint{}, fmt.Errorf("waiting for a checkpoint: %w", err)
		}
	}
}
