package journal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ErrUnconditional says that a bucket accepts the condition of a write and does not honour it. Over such a bucket two
// servers would sign two histories, and neither would notice.
var ErrUnconditional = errors.New("the bucket has written over an object under a condition that did not hold")

// probePrefix begins the names of the objects by which a bucket is tried. It is that of the documents' bucket too.
const probePrefix = "muniment-probe/"

// ProbeConditions tries whether a bucket honours the conditions that the journal rests on: it writes an object under
// some that hold and some that do not, and removes it. It returns the object's name, and ErrUnconditional when the
// bucket wrote what it should have refused.
func ProbeConditions(ctx context.Context, b Bucket, rand io.Reader) (name string, err error) {
	var random [8]byte
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return "", fmt.Errorf("drawing the name of a probe: %w", err)
	}
	name = probePrefix + "conditions-" + hex.EncodeToString(random[:])
	defer func() { err = errors.Join(err, b.Delete(context.WithoutCancel(ctx), name)) }()
	if err := tryConditions(ctx, b, name); err != nil {
		return name, fmt.Errorf("trying conditional writes with %s: %w", name, err)
	}
	return name, nil
}

// tryConditions makes the trial with an object of the name, which nobody else uses.
func tryConditions(ctx context.Context, b Bucket, name string) error {
	first, err := b.Put(ctx, name, []byte("first"), "")
	if err != nil {
		return err
	}
	if err := refuses(ctx, b, name, ""); err != nil {
		return err
	}
	kept := []byte("second")
	if _, err := b.Put(ctx, name, kept, first); err != nil {
		return err
	}
	if err := refuses(ctx, b, name, first); err != nil {
		return err
	}
	found, _, err := b.Get(ctx, name)
	if err == nil && !bytes.Equal(found, kept) {
		err = ErrUnconditional
	}
	return err
}

// refuses checks that a bucket does not write over an object under the condition of a tag that it does not have.
func refuses(ctx context.Context, b Bucket, name, tag string) error {
	switch _, err := b.Put(ctx, name, []byte("overwritten"), tag); {
	case errors.Is(err, ErrConflict):
		return nil
	case err != nil:
		return err
	default:
		return ErrUnconditional
	}
}
