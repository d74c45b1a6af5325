package journal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// releaseDelay is how long an entry that nobody waits for may wait for its release.
	releaseDelay = 100 * time.Millisecond

	firstRetry = 50 * time.Millisecond // after a failed release
	maxRetry   = 5 * time.Second
)

// ship releases committed entries until the journal closes: it ships a batch, then swaps the head object.
func (j *Journal) ship() {
	if !j.awaitOpened() {
		j.workers.Done()
		return
	}
	j.retryLoop("releasing", j.commits, func(ctx context.Context) (bool, error) {
		if released := j.swapped.Load(); released.Size == j.Size() && released.Key == j.key.Load().number {
			return true, nil
		}
		j.delayRelease(ctx)
		err := j.shipBatch(ctx)
		switch {
		case err == nil:
			j.cannotRelease(nil)
		case errors.Is(err, ErrDamaged):
			j.cannotRelease(err)
		}
		if errors.Is(err, ErrContradicts) {
			j.cfg.Log.Error("the released head was changed by another journal; stopping", "error", err)
			j.halt(err)
		}
		return false, err
	})
}

// delayRelease lets more entries gather while no caller waits for a release. Reads and denials do not wait, and a
// release for every few of them would cost more than they do.
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

// requestRelease notes that a caller waits for the release of the entry at an index, so that delayRelease ends.
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

// retryLoop calls work until the journal closes. It waits for news when no work is left, and tries again after a
// growing pause when work fails.
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

// shipBatch ships the entries committed since the last release, as many as one batch holds, and swaps the head object
// to it. Small releases are appended to the head object; when it exceeds Config.Tail it is written as a batch.
func (j *Journal) shipBatch(ctx context.Context) error {
	before, head := j.swapped.Load(), *j.head.Load()
	key := j.key.Load() // after the head: an event that changes the key is never shipped under the one before
	if before.Size > 0 && before.Key > key.number {
		return fmt.Errorf("the released head is under shipping key %d, and the journal is under key %d: %w",
			before.Key, key.number, ErrContradicts)
	}
	if before.Size > 0 && before.Key != key.number {
		return j.reship(ctx, key)
	}
	h := batchHeader{First: before.Size, Prev: before.LastBatch, PrevRoot: before.Root}
	c, err := j.collect(ctx, &h, head)
	if err != nil {
		return fmt.Errorf("reading the entries to ship: %w", err)
	}
	h.Key = key.number
	shipped, err := before.tail.with(h, c.items)
	if err != nil {
		return err
	}
	next := &releasedHead{Journal: j.id, Origin: j.origin, Size: c.edge.size, Root: h.Root,
		LastBatch: shipped.header.Prev, PrevHeadHash: before.hash(), Auth: c.auth}
	if len(shipped.raw) <= j.cfg.Tail {
		next.tail = shipped
	} else if next.LastBatch, err = j.putBatch(ctx, shipped, key); err != nil {
		return err
	}
	swapped, err := j.swap(ctx, before, next, key)
	if err != nil {
		return fmt.Errorf("swapping the released head: %w", err)
	}
	if next.tail == nil && swapped.LastBatch == next.LastBatch {
		j.recordShipment(next.LastBatch, shipped.header, len(shipped.raw))
	}
	j.shippedEdge = nil
	if swapped == next {
		j.shippedEdge = c.edge
	}
	j.swapped.Store(swapped)
	j.swaps.notify()
	return nil
}

// putBatch ships a tail that has grown too long for the head object as a batch, and returns its name.
func (j *Journal) putBatch(ctx context.Context, t *tail, key *shippingKey) (name string, err error) {
	raw, err := appendBatch(t.header, t.items, key)
	if err != nil {
		return "", err
	}
	name = batchName(t.header, raw)
	// The name carries the content's digest: an object that is there already is this one.
	if _, err := j.bucket.Put(ctx, name, raw, ""); err != nil && !errors.Is(err, ErrConflict) {
		return "", fmt.Errorf("shipping a batch: %w", err)
	}
	return name, nil
}

// swap replaces the head object by the next one, if it is unchanged, and returns the head object that is there
// afterwards.
func (j *Journal) swap(ctx context.Context, before, next *releasedHead, key *shippingKey) (*releasedHead, error) {
	next.Tenure = j.tenure.id
	err := next.encode(key)
	sent := time.Now()
	if err == nil {
		next.tag, err = j.bucket.Put(ctx, headObject, next.raw, before.tag)
	}
	if errors.Is(err, ErrConflict) {
		return j.reconcile(ctx, next)
	}
	if err == nil {
		j.tenure.extend(sent)
	}
	return next, err
}
