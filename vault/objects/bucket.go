package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"muniment/anchor/journal"
)

// NewBucket makes the journal's release bucket of a store without versions. Objects are read into memory whole; names
// are keys of the store.
func NewBucket(store Store) journal.Bucket { return bucket{store} }

// maxReleased is more than the largest object that a journal ships, in bytes: an object that somebody else has put
// there does not take the memory.
const maxReleased = 128 << 20

type bucket struct{ store Store }

var _ journal.Sizer = bucket{}

// Get reads an object.
func (b bucket) Get(ctx context.Context, name string) ([]byte, string, error) {
	body, info, err := b.store.Get(ctx, name, "", nil)
	if err != nil {
		return nil, "", bucketError("reading", err)
	}
	defer body.Close()
	if info.Size > maxReleased {
		return nil, "", bucketError("reading", fmt.Errorf("%w: %d bytes are more than the journal ships in one object",
			ErrDamaged, info.Size))
	}
	data := bytes.NewBuffer(make([]byte, 0, info.Size+bytes.MinRead)) // so that it need not grow
	_, err = data.ReadFrom(io.LimitReader(body, maxReleased+1))
	if err == nil && int64(data.Len()) != info.Size {
		err = fmt.Errorf("%w: %d bytes of %d", ErrDamaged, data.Len(), info.Size)
	}
	if err != nil {
		return nil, "", bucketError("reading", err)
	}
	return data.Bytes(), info.Tag, nil
}

// Put writes an object over the content that has the tag, or over nothing.
func (b bucket) Put(ctx context.Context, name string, data []byte, tag string) (string, error) {
	opt := PutOptions{Length: int64(len(data)), Condition: Condition{Absent: tag == "", Tag: tag}}
	info, err := b.store.Put(ctx, name, bytes.NewReader(data), opt)
	if err != nil {
		return "", bucketError("writing", err)
	}
	return info.Tag, nil
}

// List returns the names with the prefix.
func (b bucket) List(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	for info, err := range b.store.List(ctx, prefix, "") {
		if err != nil {
			return nil, bucketError("listing", err)
		}
		names = append(names, info.Key)
	}
	return names, nil
}

// Sizes returns the sizes of the objects with the prefix, by name.
func (b bucket) Sizes(ctx context.Context, prefix string) (map[string]int64, error) {
	sizes := map[string]int64{}
	for info, err := range b.store.List(ctx, prefix, "") {
		if err != nil {
			return nil, bucketError("listing", err)
		}
		sizes[info.Key] = info.Size
	}
	return sizes, nil
}

// Delete removes an object.
func (b bucket) Delete(ctx context.Context, name string) error {
	if err := b.store.Delete(ctx, name, ""); err != nil {
		return bucketError("deleting", err)
	}
	return nil
}

// bucketError adds the journal's sentinel to an error that has one of ours.
func bucketError(doing string, err error) error {
	for _, same := range []struct{ ours, theirs error }{
		{ErrNotFound, journal.ErrNoObject},
		{ErrExists, journal.ErrConflict},
		{ErrFull, journal.ErrFull},
		{ErrDamaged, journal.ErrDamaged},
	} {
		if errors.Is(err, same.ours) {
			return fmt.Errorf("release bucket: %s: %w: %w", doing, same.theirs, err)
		}
	}
	return fmt.Errorf("release bucket: %s: %w", doing, err)
}
