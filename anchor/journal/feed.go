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

// storyBytes is how many bytes of bodies a page of a story has at most, unless its first alone has more.
const storyBytes = 1 << 20

// ErrNotInStory says that a page of a document's story was to begin at an entry that is not part of it.
var ErrNotInStory = errors.New("not an entry about this document")

// Story reads a page of the entries about a document in a snapshot, newest first: at most limit of those before the one
// at the index before, itself an entry about the document, or of all when that is 0. next is what to give as before for
// the following page, and 0 at the end. A story that the journal does not know is empty.
//
// It follows the chain of previous events, so it reads no more than the page, and a missing body shows as ErrNotFound.
func Story(r Reader, doc ID, before uint64, limit int) (page []Record, next uint64, err error) {
	at, err := storyBegins(r, doc, before)
	bytes := 0
	for at != nil && err == nil {
		if len(page) == limit || len(page) > 0 && bytes > storyBytes {
			return page, page[len(page)-1].Index, nil
		}
		rec, err := readRecord(r, *at)
		if err != nil {
			return nil, 0, err
		}
		if rec.Doc != doc {
			return nil, 0, fmt.Errorf("body %d is in the story of a document that it is not about: %w", *at, ErrDamaged)
		}
		if rec.Prev != nil && *rec.Prev >= *at {
			return nil, 0, fmt.Errorf("body %d names a later one as the previous event: %w", *at, ErrDamaged)
		}
		page, bytes, at = append(page, rec), bytes+len(rec.Body), rec.Prev
	}
	return page, 0, err
}

// storyBegins is the index of the first entry of a page of a story; nil when the page is empty.
func storyBegins(r Reader, doc ID, before uint64) (*uint64, error) {
	if before == 0 { // which no document's entry is: a journal begins with its own
		row, err := r.Get(storyTable, doc[:])
		if err != nil || row == nil {
			return nil, err
		}
		at, err := parseIndex(row)
		return &at, err
	}
	rec, err := readRecord(r, before)
	if errors.Is(err, ErrNotFound) || err == nil && rec.Doc != doc {
		return nil, ErrNotInStory
	}
	return rec.Prev, err
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
