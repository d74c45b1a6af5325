package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Record is an entry with its body, as feeds and evidence carry it.
type Record struct {
	Entry
	Type  string
	Nonce [NonceSize]byte
	Body  []byte // the exact bytes
	Data  json.RawMessage
}

// readRecord reads one entry; ErrNotFound when there is none.
func readRecord(r Reader, at uint64) (Record, error) {
	row, err := r.Get(bodyTable, indexKey(at))
	if err != nil {
		return Record{}, fmt.Errorf("reading body %d: %w", at, err)
	}
	if row == nil {
		return Record{}, fmt.Errorf("body %d: %w", at, ErrNotFound)
	}
	nonce, raw, err := unpackBody(row)
	if err != nil {
		return Record{}, fmt.Errorf("body %d: %w", at, err)
	}
	raw = slices.Clone(raw)
	b, err := parseBody(raw)
	if err != nil {
		return Record{}, fmt.Errorf("body %d: %w: %w", at, ErrDamaged, err)
	}
	if err := checkLeaf(r, at, entryHash(nonce, raw)); err != nil {
		return Record{}, err
	}
	b.Index = at
	return Record{Entry: b.Entry, Type: b.Type, Nonce: nonce, Body: raw, Data: b.Data}, nil
}

// checkLeaf compares an entry with the tree, so that a changed body is not given out. An entry of the group in
// progress, which a decide may read, is not in the tree yet.
func checkLeaf(r Reader, at uint64, entry Hash) error {
	row, err := r.Get(tileTable, tileKey(0, at/TileWidth))
	if err != nil {
		return fmt.Errorf("reading the leaf of body %d: %w", at, err)
	}
	offset := int(at%TileWidth) * len(Hash{})
	if len(row) >= offset+len(Hash{}) {
		if want := leafHash(entry); !bytes.Equal(row[offset:offset+len(want)], want[:]) {
			return fmt.Errorf("body %d is not the one that the tree holds: %w", at, ErrDamaged)
		}
		return nil
	}
	if head, _, err := readHead(r); err != nil || at < head.Size {
		return errors.Join(err, fmt.Errorf("the leaf of body %d is missing: %w", at, ErrDamaged))
	}
	return nil
}

// RecordAt reads one entry in a snapshot; ErrNotFound when there is none.
func RecordAt(r Reader, at uint64) (Record, error) { return readRecord(r, at) }

// Record reads one entry; ErrNotFound when there is none.
func (j *Journal) Record(ctx context.Context, at uint64) (rec Record, err error) {
	err = j.View(ctx, func(r Reader) error {
		rec, err = readRecord(r, at)
		return err
	})
	return rec, err
}

// Receipt is the receipt of an earlier entry, without proof and checkpoint.
func (j *Journal) Receipt(ctx context.Context, at uint64) (Receipt, error) {
	rec, err := j.Record(ctx, at)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Index: at, Leaf: entryHash(rec.Nonce, rec.Body), Nonce: rec.Nonce, Body: rec.Body}, nil
}

// Records reads up to limit entries of one tenant that follow its number after, in order.
func (j *Journal) Records(ctx context.Context, tenant string, after uint64, limit int) (records []Record, err error) {
	if after == math.MaxUint64 {
		return nil, nil
	}
	err = j.View(ctx, func(r Reader) error {
		records = nil
		rg := Range{From: seqKey(tenant, after+1), To: append([]byte(tenant), 1)}
		return r.Scan(seqTable, rg, func(_, row []byte) error {
			if len(records) == limit {
				return Stop
			}
			at, err := parseIndex(row)
			if err != nil {
				return err
			}
			rec, err := readRecord(r, at)
			if err == nil && rec.Tenant != tenant {
				err = fmt.Errorf("body %d is listed under a tenant that it is not of: %w", at, ErrDamaged)
			}
			records = append(records, rec)
			return err
		})
	})
	return records, err
}

// Story reads every entry about a document, oldest first; none when the journal does not know it.
func (j *Journal) Story(ctx context.Context, doc ID) (story []Record, err error) {
	err = j.View(ctx, func(r Reader) error {
		story, err = StoryOf(r, doc)
		return err
	})
	return story, err
}

// StoryOf is Story in a snapshot. It follows the chain of previous events, so a missing body shows as ErrNotFound.
func StoryOf(r Reader, doc ID) ([]Record, error) {
	row, err := r.Get(storyTable, doc[:])
	if err != nil || row == nil {
		return nil, err
	}
	var story []Record
	at, err := parseIndex(row)
	if err != nil {
		return nil, err
	}
	for {
		rec, err := readRecord(r, at)
		if err != nil {
			return nil, err
		}
		if rec.Doc != doc {
			return nil, fmt.Errorf("body %d is in the story of a document that it is not about: %w", at, ErrDamaged)
		}
		story = append(story, rec)
		if rec.Prev == nil {
			slices.Reverse(story)
			return story, nil
		}
		if *rec.Prev >= at {
			return nil, fmt.Errorf("body %d names a later one as the previous event: %w", at, ErrDamaged)
		}
		at = *rec.Prev
	}
}

// LastNews is the size just after the last event that is not quiet.
func (j *Journal) LastNews() uint64 { return j.lastNews.Load() }

// News waits until an event that is not quiet stands at the index size or later.
func (j *Journal) News(ctx context.Context, size uint64) error {
	for {
		changed := j.news.wait()
		if j.LastNews() > size {
			return nil
		}
		if err := j.await(ctx, changed); err != nil {
			return err
		}
	}
}
