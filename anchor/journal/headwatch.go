package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// headQuiet is how long after the last swap the head object is read: by then another writer, whose condition the
	// bucket did not honour, would have shown.
	headQuiet = time.Minute
	// headEvery is how often it is read while nothing happens.
	headEvery = time.Hour
)

// watchHead reads the head object after each swap that is followed by silence, and hourly, until the journal closes.
// It must be what this process wrote, or lead back to it. A bucket that was put back, or that honours no conditions any
// more, is noticed so even if nothing is written.
func (j *Journal) watchHead() {
	defer j.workers.Done()
	hourly := time.NewTicker(headEvery)
	defer hourly.Stop()
	quiet := time.NewTimer(headQuiet)
	defer quiet.Stop()
	for {
		swapped := j.swaps.wait()
		select {
		case <-swapped:
			quiet.Reset(headQuiet)
		case <-quiet.C:
			j.checkHead()
		case <-hourly.C:
			j.checkHead()
		case <-j.ctx.Done():
			return
		case <-j.stopped:
			return
		}
	}
}

// checkHead reads the head object, and stops the journal if it does not lead back to what this process wrote.
func (j *Journal) checkHead() {
	last := j.swapped.Load()
	if last.raw == nil || !j.tenure.entered.Load() {
		return
	}
	switch _, err := j.findHead(j.ctx, last, last); {
	case errors.Is(err, ErrContradicts):
		j.cfg.Log.Error("the released head does not lead back to what this process wrote; stopping", "error", err)
		j.halt(err)
	case err != nil && j.ctx.Err() == nil:
		j.cfg.Log.Warn("the released head could not be looked at", "error", err)
	}
}

// reconcile reads a head object that is not the one we meant to replace. It is ours if the swap took effect and its
// answer was lost. It is of our history if another gateway on this database has released the same entries; then we go
// on from it. ErrContradicts when it is neither.
func (j *Journal) reconcile(ctx context.Context, ours *releasedHead) (*releasedHead, error) {
	return j.findHead(ctx, j.swapped.Load(), ours)
}

// findHead reads the head object. It must be ours or the last one that this process knows, byte for byte, or lead back
// to the last one: of the same tenure, no smaller, and of this journal's history. ErrContradicts when it is not, and
// ErrTakenOver too when it is another server's.
func (j *Journal) findHead(ctx context.Context, last, ours *releasedHead) (*releasedHead, error) {
	raw, tag, err := j.cfg.Bucket.Get(ctx, headObject)
	if errors.Is(err, ErrNoObject) {
		return nil, fmt.Errorf("the head object has vanished from the release bucket: %w", ErrContradicts)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the released head: %w", err)
	}
	for _, known := range []*releasedHead{ours, last} {
		if bytes.Equal(raw, known.raw) {
			found := *known
			found.tag = tag
			return &found, nil
		}
	}
	found, err := j.bucket.authentic(ctx, raw, tag)
	if err != nil {
		if errors.Is(err, ErrDamaged) || errors.Is(err, errUnauthentic) {
			err = fmt.Errorf("the head object is not one of this journal's: %w: %w", ErrContradicts, err)
		}
		return nil, err
	}
	if err := j.leadsBack(ctx, last, found); err != nil {
		return nil, err
	}
	return found, nil
}

// leadsBack checks that a head object goes on from the last one that this process knows.
func (j *Journal) leadsBack(ctx context.Context, last, found *releasedHead) error {
	switch {
	case found.Journal != j.id || found.Origin != j.origin || found.Size < last.Size ||
		found.Key < last.Key:
		return fmt.Errorf("the head object is of %s at size %d, and was of %s at %d: %w",
			found.Origin, found.Size, j.origin, last.Size, ErrContradicts)
	case found.Tenure != j.tenure.id:
		return fmt.Errorf("the head object at size %d, root %s, is another server's: %w: %w",
			found.Size, found.Root, ErrTakenOver, ErrContradicts)
	case found.Size == last.Size && found.PrevHeadHash != last.hash():
		return fmt.Errorf("the head object at size %d does not follow the one that was written there: %w",
			found.Size, ErrContradicts)
	}
	return j.View(ctx, func(r Reader) error {
		head, _, err := readHead(r) // read again, because another gateway may have committed since
		if err != nil {
			return err
		}
		if found.Size > head.Size {
			return fmt.Errorf("the head object is at size %d, beyond this journal at %d: %w",
				found.Size, head.Size, ErrContradicts)
		}
		root, err := rootAt(r, found.Size)
		if err == nil && root != found.Root {
			err = fmt.Errorf("at size %d the head object has another root than this journal: %w",
				found.Size, ErrContradicts)
		}
		return err
	})
}
