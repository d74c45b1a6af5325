package journal

import (
	"bytes"
	"context"
	"encoding/json"
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

// sleep pauses; false when the journal is closing.
func (j *Journal) sleep(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.ctx.Done():
		return false
	case <-j.stopped:
		return false
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

// collect reads the entries that follow the released head, and the sealed rows that their changes have touched, as they
// are now; it fills in the header's count and root. A change is never cut in two, and a row that has been erased
// meanwhile goes together with the event that erased it as far as a batch can hold both: without that a restore would
// miss the row.
func (j *Journal) collect(ctx context.Context, h *batchHeader) (items []batchItem, err error) {
	err = j.View(ctx, func(r Reader) error {
		items, h.Count = nil, 0
		size, erased := 0, uint64(0)
		// What the committer has not told of yet may be here already; it is left for the next batch.
		err := r.Scan(bodyTable, Range{From: indexKey(h.First), To: indexKey(j.Size())}, func(key, row []byte) error {
			at := h.First + h.Count
			if size > maxBatch && at > erased || size > maxGrown {
				inside, err := insideChange(r, at)
				if err != nil {
					return err
				}
				if !inside {
					return Stop
				}
			}
			item, err := entryItem(key, row, at)
			if err != nil {
				return err
			}
			items = append(items, item)
			h.Count++
			size += len(row)
			rows, n, until, err := sealedItems(r, at)
			items = append(items, rows...)
			size, erased = size+n, max(erased, until)
			return err
		})
		if err != nil {
			return err
		}
		if h.Count == 0 {
			return fmt.Errorf("body %d is missing: %w", h.First, ErrDamaged)
		}
		h.Root, err = rootAt(r, h.First+h.Count)
		return err
	})
	return items, err
}

// insideChange says whether the entry at belongs to a change that began before it.
func insideChange(r Reader, at uint64) (inside bool, err error) {
	err = r.Scan(outboxTable, Range{From: indexKey(at)}, func(_, row []byte) error {
		out, err := parseOutboxRow(row)
		if err != nil {
			return err
		}
		inside = out.First < at
		return Stop
	})
	return inside, err
}

func parseOutboxRow(row []byte) (out outboxRow, err error) {
	if err := json.Unmarshal(row, &out); err != nil {
		return out, fmt.Errorf("an outbox row is not one: %w", ErrDamaged)
	}
	return out, nil
}

// entryItem is the item of a body's row, which must be the one that is expected next.
func entryItem(key, row []byte, want uint64) (batchItem, error) {
	at, err := parseIndex(key)
	if err != nil || at != want {
		return batchItem{}, fmt.Errorf("body %d is missing: %w", want, ErrDamaged)
	}
	nonce, raw, err := unpackBody(row)
	if err != nil {
		return batchItem{}, err
	}
	return batchItem{kind: 'e', nonce: nonce, value: bytes.Clone(raw)}, nil
}

// sealedItems are the items of the sealed rows of the change that ends with the entry at, if any, their size, and the
// index of the last event that has erased one of them.
func sealedItems(r Reader, at uint64) (items []batchItem, size int, erased uint64, err error) {
	row, err := r.Get(outboxTable, indexKey(at))
	if err != nil || row == nil {
		return nil, 0, 0, err
	}
	out, err := parseOutboxRow(row)
	if err != nil {
		return nil, 0, 0, err
	}
	for _, key := range out.Rows {
		value, err := SealedRow(r, key)
		if err != nil {
			return nil, 0, 0, err
		}
		item := batchItem{kind: 'x', key: key}
		if value != nil {
			item.kind, item.value = 's', bytes.Clone(value)
		} else {
			by, err := unboundBy(r, key)
			if err != nil {
				return nil, 0, 0, err
			}
			erased = max(erased, by)
		}
		items = append(items, item)
		size += len(key) + len(value)
	}
	return items, size, erased, nil
}

// unboundBy is the index of the event that has released a sealed row.
func unboundBy(r Reader, key []byte) (uint64, error) {
	row, err := r.Get(unboundTable, key)
	if err != nil {
		return 0, err
	}
	if row == nil {
		return 0, fmt.Errorf("a sealed row is missing, and no event has erased it: %w", ErrDamaged)
	}
	return parseIndex(row)
}

// sign signs the newest swapped head, again and again. A signer that is down for long delays checkpoints, not shipping.
func (j *Journal) sign() {
	j.retryLoop("signing a checkpoint", j.swaps, func(ctx context.Context) (bool, error) {
		head := j.swapped.Load()
		if j.Checkpoint().Size >= head.Size {
			return true, nil
		}
		return false, j.publish(ctx, head)
	})
}

// publish signs a released head and makes it the newest checkpoint.
func (j *Journal) publish(ctx context.Context, head *releasedHead) error {
	signed, err := signCheckpoint(ctx, j.cfg.Signer, j.origin, head.Size, head.Root)
	if err != nil {
		return err
	}
	j.checkpoint.Store(&Checkpoint{Origin: j.origin, Size: head.Size, Root: head.Root, Note: signed,
		At: j.cfg.Clock.Now().UTC()})
	j.checkpoints.notify()
	return nil
}

// shippedTable remembers how far the journal has been released, so that a bucket that lost its head is noticed.
var (
	shippedTable = Table{Volatile, "shipped"}
	shippedKey   = []byte("size")
)

// tidy drops from the outbox what has been shipped; it rides on a commit that is made anyway.
func (g *group) pruneOutbox(j *Journal) error {
	shipped := j.swapped.Load()
	if shipped == nil || shipped.Size == 0 {
		return nil
	}
	g.set(shippedTable, shippedKey, indexKey(shipped.Size))
	var done [][]byte
	err := g.Scan(outboxTable, Range{To: indexKey(shipped.Size)}, func(key, _ []byte) error {
		done = append(done, bytes.Clone(key))
		return nil
	})
	if err != nil {
		return fmt.Errorf("tidying the outbox: %w", err)
	}
	for _, key := range done {
		g.set(outboxTable, key, nil)
	}
	return nil
}
