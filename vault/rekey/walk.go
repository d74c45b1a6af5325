package rekey

import (
	"bytes"
	"context"
	"fmt"

	"muniment/anchor/journal"
)

const (
	// walkRows and walkBytes bound what a rewrap takes at a time: one request to the key service and one event.
	walkRows  = 1024
	walkBytes = 4 << 20
	// walkMost bounds how many rows one snapshot looks at: a long one would make the journal's file grow.
	walkMost = 16 << 10
)

// sealedRow is a sealed row as a walk has found it.
type sealedRow struct {
	key, value []byte
	err        error // why its version cannot be told
}

// walk goes through the sealed rows of a tenant that are wrapped with a version of its key before below.
type walk struct {
	view   func(ctx context.Context, fn func(journal.Reader) error) error
	rows   Rows
	tenant string
	below  int
	// journal proves by its events whose a row is; nil where the tables' word will do.
	journal *journal.Journal
	prover  *journal.Prover // of the snapshot; nil until it is needed

	after []byte // the key of the last row looked at
	ended bool
}

// next returns the next rows, perhaps none, and how many rows of whatever tenant it has looked at for them.
func (w *walk) next(ctx context.Context) (rows []sealedRow, seen int64, err error) {
	after := w.after
	err = w.view(ctx, func(r journal.Reader) error {
		rows, seen, w.ended, w.prover = nil, 0, true, nil
		size := 0
		return journal.ScanSealed(r, w.after, func(key, value []byte) error {
			if len(rows) == walkRows || size >= walkBytes || seen == walkMost {
				w.ended = false
				return journal.Stop
			}
			after = bytes.Clone(key)
			seen++
			row, older, err := w.older(r, key, value)
			if older {
				rows = append(rows, row)
				size += len(value)
			}
			return err
		})
	})
	w.after = after
	return rows, seen, err
}

// older says whether a row is one of those that the walk looks for. The version comes first: it needs nothing but the
// row.
func (w *walk) older(r journal.Reader, key, value []byte) (row sealedRow, older bool, err error) {
	version, failed := VersionOf(value)
	if failed == nil && version >= w.below {
		return row, false, nil
	}
	tenant, err := w.owner(r, key)
	if err != nil || tenant != w.tenant {
		return row, false, err
	}
	return sealedRow{key: bytes.Clone(key), value: bytes.Clone(value), err: failed}, true, nil
}

// owner is the tenant that a row belongs to.
func (w *walk) owner(r journal.Reader, key []byte) (string, error) {
	if w.journal == nil {
		return w.rows.Tenant(r, key)
	}
	if w.prover == nil {
		var err error
		if w.prover, err = w.journal.Prover(r); err != nil {
			return "", err
		}
	}
	by, err := w.journal.ProvedBinding(w.prover, key)
	return by.Tenant, err
}

// countSealed counts the sealed rows of all tenants.
func (k *Keys) countSealed(ctx context.Context) (n int64, err error) {
	var after []byte
	for ended := false; !ended; {
		err = k.cfg.Journal.View(ctx, func(r journal.Reader) error {
			seen := 0
			ended = true
			return journal.ScanSealed(r, after, func(key, _ []byte) error {
				if seen == walkMost {
					ended = false
					return journal.Stop
				}
				after = append(after[:0], key...)
				seen++
				n++
				return nil
			})
		})
		if err != nil {
			return n, fmt.Errorf("counting the sealed rows: %w", err)
		}
	}
	return n, nil
}
