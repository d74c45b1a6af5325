package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// CopyConfig says what CopyReleased copies, and where to.
type CopyConfig struct {
	From, To Bucket
	// ShippingKeys authenticates what is copied. Nil: it is checked, and not authenticated.
	ShippingKeys ShippingKeys
	// Progress, if not nil, is told of how many of how many entries have been copied.
	Progress func(done, of uint64)
}

// Copied is what CopyReleased has done. The copy has its new head only after Finish.
type Copied struct {
	Head    ReleasedHead // of the history that was copied
	Before  ReleasedHead // of the copy until now; of size 0 for a new one
	Batches int          // that were fetched; the others were there already
	Bytes   int64        // of these

	to Bucket
}

// copyTries bounds how often the batches are listed anew because they were merged while they were copied.
const copyTries = 100

// CopyReleased copies the history of a release bucket, batch by batch, while others go on releasing to it: batches
// never change and are named by their digest, so one that the copy has is not fetched again, and an interrupted copy
// goes on where it stopped. A batch of the copy that is damaged is replaced. The copy keeps its head until the caller,
// who should have checked the batches (CheckReleased), calls Finish.
//
// ErrMissing and ErrDamaged are those of ReadReleased and CheckReleased, about the bucket that is copied.
// ErrContradicts: the copy is of another origin, or newer.
func CopyReleased(ctx context.Context, cfg CopyConfig) (*Copied, error) {
	c := &Copied{to: cfg.To}
	from := openShipped(cfg.From, cfg.ShippingKeys)
	old, err := readCopy(ctx, cfg, from)
	if err != nil {
		return nil, fmt.Errorf("copying what was released: the copy: %w", err)
	}
	if old != nil {
		c.Before = ReleasedHead{Journal: old.Journal, Origin: old.Origin, Size: old.Size, Root: old.Root,
			object: old}
	}
	var last []string
	for range copyTries {
		if c.Head, err = publicHead(ctx, from); err != nil {
			return nil, fmt.Errorf("copying what was released: %w", err)
		}
		if err := checkSuccessor(c.Head, c.Before); err != nil {
			return nil, fmt.Errorf("copying what was released: %w", err)
		}
		names, err := cfg.From.List(ctx, batchPrefix)
		if err != nil {
			return nil, fmt.Errorf("copying what was released: listing the shipped batches: %w", err)
		}
		if err := copyKeys(ctx, from, cfg.To, c.Head.object.Key); err != nil {
			return nil, fmt.Errorf("copying what was released: %w", err)
		}
		_, err = chainTo(ctx, shipped{&fetchingBucket{CopyConfig: cfg, copied: c}, from.keys}, c.Head.object, 0)
		// While batches are merged the list is out of date for a moment. If a second list is the same, the batch that
		// it lacks is lost.
		if !errors.Is(err, ErrDamaged) || slices.Equal(names, last) {
			if err != nil {
				err = fmt.Errorf("copying what was released: %w", err)
			}
			return c, err
		}
		last = names
	}
	return nil, fmt.Errorf("copying what was released: batches were merged during each of %d tries; try again",
		copyTries)
}

// readCopy reads the head of the copy. The keys of the bucket that is copied authenticate it: the copy's own may have
// been exchanged, and are put right later.
func readCopy(ctx context.Context, cfg CopyConfig, from shipped) (*releasedHead, error) {
	old, err := readReleased(ctx, shipped{cfg.To, from.keys})
	if errors.Is(err, errUnauthentic) { // the bucket may have no copy of the key that it was under then
		return readReleased(ctx, openShipped(cfg.To, cfg.ShippingKeys))
	}
	return old, err
}

// copyKeys copies the wrapped shipping keys, without which nothing in the copy can be authenticated. The one that the
// head is under replaces another that the copy has in its place, if it has authenticated the head.
func copyKeys(ctx context.Context, from shipped, to Bucket, number int) error {
	names, err := from.List(ctx, keyPrefix)
	if err != nil {
		return fmt.Errorf("listing the wrapped shipping keys: %w", err)
	}
	if from.keys != nil {
		copies := &keyring{bucket: to}
		if _, err := copies.keepInBucket(ctx, number, []byte(from.keys.copyOf(number))); err != nil {
			return fmt.Errorf("a wrapped shipping key: %w", err)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == keyObject(number) })
	}
	for _, name := range names {
		raw, _, err := from.Get(ctx, name)
		if err == nil {
			_, err = to.Put(ctx, name, raw, "")
		}
		if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNoObject) {
			return fmt.Errorf("a wrapped shipping key: %w", err)
		}
	}
	return nil
}

// checkSuccessor refuses a head that cannot replace the one that a copy has.
func checkSuccessor(next, old ReleasedHead) error {
	switch {
	case old.Size == 0:
	case next.Journal != old.Journal:
		return fmt.Errorf("the copy is of the journal %s, the bucket of %s: %w", old.Journal, next.Journal,
			ErrContradicts)
	case next.Origin != old.Origin:
		return fmt.Errorf("the copy is of %s at size %d, the bucket of %s at size %d: %w",
			old.Origin, old.Size, next.Origin, next.Size, ErrContradicts)
	case next.Size < old.Size:
		return fmt.Errorf("the copy is at size %d, the bucket only at size %d: %w", old.Size, next.Size, ErrContradicts)
	case next.Size == old.Size && next.Root != old.Root:
		return fmt.Errorf("copy and bucket are both at %d, with the roots %s and %s: %w",
			old.Size, old.Root, next.Root, ErrContradicts)
	}
	return nil
}

// Finish gives the copy its new head. When it returns nil the copy is durable and stands on its own.
func (c *Copied) Finish(ctx context.Context) error {
	tag := ""
	if old := c.Before.object; old != nil {
		if bytes.Equal(old.raw, c.Head.object.raw) {
			return nil
		}
		tag = old.tag
	}
	if _, err := c.to.Put(ctx, headObject, c.Head.object.raw, tag); err != nil {
		return fmt.Errorf("giving the copy its head: %w", err)
	}
	return nil
}

// fetchingBucket shows both buckets as one: a batch that the copy lacks is copied when it is read. Only batches are
// read and listed.
type fetchingBucket struct {
	Bucket // nil: its other methods are not called
	CopyConfig
	copied *Copied
}

// List returns the names that either bucket has.
func (f *fetchingBucket) List(ctx context.Context, prefix string) ([]string, error) {
	names, err := f.From.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	here, err := f.To.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("the copy: %w", err)
	}
	names = append(slices.Clone(names), here...)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Get reads a batch from the copy, or copies it. A batch that is not whole in the copy is replaced if the bucket has
// it.
func (f *fetchingBucket) Get(ctx context.Context, name string) ([]byte, string, error) {
	raw, tag, err := f.To.Get(ctx, name)
	if errors.Is(err, ErrDamaged) {
		err = f.To.Delete(ctx, name) // it cannot be read, so there is no tag to replace it by
	}
	if err != nil && !errors.Is(err, ErrNoObject) {
		return nil, "", fmt.Errorf("the copy: %w", err)
	}
	h, whole := intactBatch(raw, name)
	if !whole {
		damaged := tag
		if raw, tag, err = f.From.Get(ctx, name); err != nil {
			return nil, "", err
		}
		if h, whole = intactBatch(raw, name); !whole {
			return raw, tag, nil // for the reader to refuse
		}
		if tag, err = f.To.Put(ctx, name, raw, damaged); err != nil {
			return nil, "", fmt.Errorf("the copy: %w", err)
		}
		f.copied.Batches++
		f.copied.Bytes += int64(len(raw))
	}
	if f.Progress != nil {
		f.Progress(f.copied.Head.Size-h.First, f.copied.Head.Size)
	}
	return raw, tag, nil
}

// intactBatch says whether bytes are the batch of a name.
func intactBatch(raw []byte, name string) (h batchHeader, whole bool) {
	h, _, err := parseBatch(raw)
	return h, err == nil && batchName(h, raw) == name
}
