package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// shipAgain ships leaves that no batch holds any more, from the database. prev is the batch that ends where they begin.
// each, if not nil, is told of every batch: where the next begins, and its name. shipAgain returns the name of the
// last.
func (j *Journal) shipAgain(ctx context.Context, head *releasedHead, key *shippingKey, lost Leaves, prev string,
	each func(next uint64, name string) error) (string, error) {
	erased := &erasures{j: j}
	for lost.Count > 0 {
		h, items, err := j.collectRange(ctx, head, lost, erased)
		if err != nil {
			return "", fmt.Errorf("reading the leaves from %d on to ship them again: %w", lost.First, err)
		}
		h.Prev = prev
		if prev, err = j.putAgain(ctx, key, h, items); err != nil {
			return "", err
		}
		lost = Leaves{lost.First + h.Count, lost.Count - h.Count}
		if each == nil {
			continue
		}
		if err := each(lost.First, prev); err != nil {
			return "", err
		}
	}
	return prev, nil
}

// putAgain writes a batch in the place of one that is gone. An object of its name that is damaged is written over.
func (j *Journal) putAgain(ctx context.Context, key *shippingKey, h batchHeader, items []batchItem) (name string,
	err error) {
	h.Key = key.number
	if err := j.schema.checkItems(h.First, items); err != nil {
		return "", fmt.Errorf("reading a batch before it is shipped again: %w", err)
	}
	raw, err := appendBatch(h, items, key)
	if err != nil {
		return "", err
	}
	if _, _, err := parseBatch(raw); err != nil {
		return "", fmt.Errorf("reading a batch before it is shipped again: %w", err)
	}
	name = batchName(h, raw)
	_, err = j.cfg.Bucket.Put(ctx, name, raw, "")
	if errors.Is(err, ErrConflict) {
		var there []byte
		var tag string
		if there, tag, err = j.cfg.Bucket.Get(ctx, name); err == nil && !bytes.Equal(there, raw) {
			_, err = j.cfg.Bucket.Put(ctx, name, raw, tag)
		}
	}
	if err != nil {
		return "", fmt.Errorf("shipping the leaves from %d on again: %w", h.First, err)
	}
	j.batches.whole[name] = key.number
	delete(j.batches.broken, name)
	j.batches.shippedAgain.Add(h.Count)
	j.cfg.Log.Warn("leaves that no shipped batch held any more were shipped again", "from", h.First, "count", h.Count,
		"batch", name)
	return name, nil
}
