package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// releaseDelay is how long an entry that nobody waits for may wait for its release.
	releaseDelay = 100 * time.Millisecond

	firstRetry = 50 * time.Millisecond // after a failed release
	maxRetry   = 5 * time.Second
)

// ship releases what has been committed, again and again: ship, then swap the head object.
func (j *Journal) ship() {
	j.retryLoop("releasing", j.commits, func(ctx context.Context) (bool, error) {
		if j.swapped.Load().Size == j.Size() {
			return true, nil
		}
		j.delayRelease(ctx)
		err := j.shipBatch(ctx)
		if errors.Is(err, ErrContradicts) {
			j.cfg.Log.Error("the released head was changed by another journal; stopping", "error", err)
			j.halt(err)
		}
		return false, err
	})
}

// delayRelease lets more gather while nobody waits for a release: reads and denials do not, and a release for each few of
// them would cost more than they do.
func (j *Journal) delayRelease(ctx context.Context) {
	timer := time.NewTimer(releaseDelay)
	defer timer.Stop()
	for {
		changed := j.urgent.wait()
		if j.requested.Load() > j.swapped.Load().Size {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// want says that somebody waits for the release of the entry at an index.
func (j *Journal) requestRelease(at uint64) {
	for {
		before := j.requested.Load()
		if before > at {
			return
		}
		if j.requested.CompareAndSwap(before, at+1) {
			j.urgent.notify()
			return
		}
	}
}

// retryLoop does work again and again, and waits for the broadcast when there is none left. What fails is tried again after a
// pause.
func (j *Journal) retryLoop(what string, news *broadcast, work func(context.Context) (none bool, err error)) {
	defer j.workers.Done()
	pause := firstRetry
	for {
		changed := news.wait()
		none, err := work(j.ctx)
		switch {
		case j.ctx.Err() != nil || j.Err() != nil:
			return
		case err != nil:
			j.cfg.Log.Warn(what+" failed; trying again", "error", err, "pause", pause)
			if !j.sleep(pause) {
				return
			}
			pause = min(2*pause, maxRetry)
		case none:
			if j.await(j.ctx, changed) != nil {
				return
			}
		default:
			pause = firstRetry
		}
	}
}

// shipBatch ships what has been committed since the last release, as far as one batch holds it, and swaps the head
// object to it. What is little goes into the head object itself, behind what stands there already, until that is worth
// a batch.
func (j *Journal) shipBatch(ctx context.Context) error {
	before := j.swapped.Load()
	h := batchHeader{First: before.Size, Prev: before.LastBatch, PrevRoot: before.Root}
	items, err := j.collect(ctx, &h)
	if err != nil {
		return fmt.Errorf("collecting what is to be shipped: %w", err)
	}
	if before.tail != nil {
		h.First, h.Prev, h.PrevRoot = before.tail.header.First, before.tail.header.Prev, before.tail.header.PrevRoot
		h.Count += before.tail.header.Count
		items = lastWrites(slices.Concat(before.tail.items, items))
	}
	raw, err := appendBatch(h, items)
	if err != nil {
		return err
	}
	next := &releasedHead{Origin: j.origin, Size: h.First + h.Count, Root: h.Root, LastBatch: h.Prev,
		PrevHeadHash: before.hash()}
	if len(raw) <= j.cfg.Tail {
		next.Tail, next.tail = raw, &batch{h, items}
	} else {
		next.LastBatch = batchName(h, raw)
		// The name carries the content's digest: an object that is there already is this one.
		if _, err := j.cfg.Bucket.Put(ctx, next.LastBatch, raw, ""); err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("shipping a batch: %w", err)
		}
	}
	swapped, err := j.swap(ctx, before, next)
	if err != nil {
		return fmt.Errorf("swapping the released head: %w", err)
	}
	if next.Tail == nil && swapped.LastBatch == next.LastBatch {
		j.recordShipment(next.LastBatch, h, len(raw))
	}
	j.swapped.Store(swapped)
	j.swaps.notify()
	return nil
}

// swap puts the next head object in the place of the one before, and returns the one that stands there now.
func (j *Journal) swap(ctx context.Context, before, next *releasedHead) (*releasedHead, error) {
	err := next.encode()
	if err == nil {
		next.tag, err = j.cfg.Bucket.Put(ctx, headObject, next.raw, before.tag)
	}
	if errors.Is(err, ErrConflict) {
		return j.reconcile(ctx, next)
	}
	return next, err
}

// reconcile looks at a head object that is not the one we meant to replace. It is ours if a swap took effect and its
// answer was lost, and it is our history if another gateway has released what we have committed too; then we go on from
// it.
func (j *Journal) reconcile(ctx context.Context, ours *releasedHead) (*releasedHead, error) {
	found, err := readReleased(ctx, j.cfg.Bucket)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("the head object has vanished from the release bucket: %w", ErrContradicts)
	}
	if bytes.Equal(found.raw, ours.raw) {
		return found, nil
	}
	if found.Origin != j.origin || found.Size < j.swapped.Load().Size {
		return nil, fmt.Errorf("its head is of %s at %d, and was of %s at %d: %w",
			found.Origin, found.Size, j.origin, j.swapped.Load().Size, ErrContradicts)
	}
	err = j.View(ctx, func(r Reader) error {
		head, _, err := readHead(r) // not what this process has committed last: another gateway may have gone on
		if err != nil {
			return err
		}
		if found.Size > head.Size {
			return fmt.Errorf("its head is at %d, ours at %d: %w", found.Size, head.Size, ErrContradicts)
		}
		root, err := rootAt(r, found.Size)
		if err == nil && root != found.Root {
			err = fmt.Errorf("at size %d the roots differ: %w", found.Size, ErrContradicts)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}
