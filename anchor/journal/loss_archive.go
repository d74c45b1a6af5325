package journal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// asidePrefix begins the names of the objects of a lost history.
const asidePrefix = "lost/"

// StaysInPlace says whether an object of a release bucket is of the installation and not of one history: its owner and
// its lease. These are never set aside.
func StaysInPlace(name string) bool { return name == "owner" || name == "lease" }

// setAside moves the objects of a bucket's history under asidePrefix, but for the new origin's shipping key, and the
// head object last: as long as it is there, a repeated AcceptLoss finds what was lost.
func setAside(ctx context.Context, b Bucket, begun LossAccepted) error {
	names, err := b.List(ctx, "")
	if err != nil {
		return fmt.Errorf("setting the lost history aside: %w", err)
	}
	names = append(slices.DeleteFunc(names, func(name string) bool {
		return name == headObject || name == keyObject(begun.Shipping.Number) ||
			strings.HasPrefix(name, asidePrefix) || StaysInPlace(name)
	}), headObject)
	for _, name := range names {
		if err := moveAside(ctx, b, name, begun.Lost); err != nil {
			return fmt.Errorf("setting the lost history aside: %w", err)
		}
	}
	return nil
}

func moveAside(ctx context.Context, b Bucket, name string, lost LostHead) error {
	raw, _, err := b.Get(ctx, name)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNoObject) {
		raw, err = nil, nil // there are no bytes to keep
	}
	if err != nil {
		return err
	}
	if raw != nil {
		aside := fmt.Sprintf("%s%016d-%s/%s", asidePrefix, lost.Size, hex.EncodeToString(lost.Root[:8]), name)
		if _, err := b.Put(ctx, aside, raw, ""); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
		kept, _, err := b.Get(ctx, aside)
		if err == nil && !bytes.Equal(kept, raw) {
			err = fmt.Errorf("the object %s exists already with other content: %w", aside, ErrConflict)
		}
		if err != nil {
			return err
		}
	}
	return b.Delete(ctx, name)
}
