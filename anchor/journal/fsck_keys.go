package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
)

// compareShippingKeys holds the copies of the wrapped shipping key against the event from which on it authenticates
// the journal. The journal goes on with any copy that is whole, so that one which was exchanged shows here alone.
func (f *fsck) compareShippingKeys(ctx context.Context) error {
	if f.cfg.Bucket == nil {
		return nil
	}
	var at ShippingKeyAt
	var row []byte
	err := f.cfg.Backend.View(ctx, func(r Reader) error {
		var err error
		if at, err = shippingOf(r, f.head.Key); err != nil || at.Number == 0 {
			return err
		}
		stored, err := r.Get(shippingKeyTable, shippingKeyRow(at.Number))
		row = append(row, stored...)
		return err
	})
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrMissing) || errors.Is(err, ErrNotFound) {
		return nil // what keeps the events from being read is found already
	}
	if err != nil || at.Number == 0 {
		return err
	}
	const another = "it is not the wrapped key that the journal's events name"
	switch {
	case len(row) == 0:
		f.found(shippingKeyTable, shippingKeyRow(at.Number), "it is missing; the next start puts it back")
	case sha256.Sum256(row) != at.Digest:
		f.found(shippingKeyTable, shippingKeyRow(at.Number), another)
	}
	raw, _, err := f.cfg.Bucket.Get(ctx, keyObject(at.Number))
	switch {
	case errors.Is(err, ErrNoObject):
		f.found(shippingKeyTable, shippingKeyRow(at.Number), "the release bucket lacks it as %s; the next start puts "+
			"it back", keyObject(at.Number))
	case errors.Is(err, ErrDamaged) || err == nil && sha256.Sum256(raw) != at.Digest:
		f.found(shippingKeyTable, shippingKeyRow(at.Number), "in the release bucket, as %s, %s", keyObject(at.Number),
			another)
	default:
		return err
	}
	return nil
}

// shippingOf is how the events name the shipping key that a head is under; the zero value when none does. A key that
// was changed since the origin began stands in an event of its own, which no table leads to.
func shippingOf(r Reader, number int) (at ShippingKeyAt, err error) {
	eras, err := Eras(r)
	if err != nil {
		return at, err
	}
	begun := eras[len(eras)-1].Shipping
	if number <= begun.Number { // 0 is the local key
		return begun, nil
	}
	err = r.Scan(bodyTable, Range{From: indexKey(eras[len(eras)-1].From)}, func(key, row []byte) error {
		if !bytes.Contains(row, []byte(KeyChanged)) {
			return nil
		}
		index, err := parseIndex(key)
		if err != nil {
			return err
		}
		item, err := entryItem(key, row, index)
		if err != nil {
			return err
		}
		b, err := parseBody(item.value)
		if err != nil || b.Type != string(KeyChanged) {
			return err
		}
		var data KeyChangedData
		if err := json.Unmarshal(b.Data, &data); err != nil {
			return err
		}
		if data.Shipping.Number == number {
			at = data.Shipping
			return Stop
		}
		return nil
	})
	return at, err
}
