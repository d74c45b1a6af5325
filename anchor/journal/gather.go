package journal

import (
	"bytes"
	"errors"
	"fmt"
)

// gathering makes the items of a batch: entries, each with what the sealed rows that it names are now. The event says
// which these are, by its reducer. The tables of bound and unbound rows, which somebody may have written to, only hint
// at the event that has erased a row that is not there.
type gathering struct {
	r        Reader
	schema   *schema
	edge     *edge
	erasures *erasures
	items    []batchItem
	first    uint64
	count    uint64
	size     int
	erased   uint64 // the index of the last event that has erased a row of the items
	last     *body  // of the last entry
}

// add adds the entry of a body's row, which must have the next index. Of a sealed row that two of its events name, the
// item stands beside the last.
func (g *gathering) add(key, row []byte) error {
	at := g.first + g.count
	b, item, err := bodyOf(key, row, at)
	if err != nil {
		return err
	}
	touched, err := g.schema.touches(b)
	if err != nil {
		return fmt.Errorf("body %d: %w: %w", at, ErrDamaged, err)
	}
	g.items = append(g.items, item)
	g.edge.append(entryHash(item.nonce, item.value), func(int, uint64, []Hash) {})
	g.size += len(row)
	for i, one := range touched {
		if namedAgain(touched[i+1:], one.key) {
			continue
		}
		sealed, err := g.sealed(at, one)
		if err != nil {
			return err
		}
		g.items = append(g.items, sealed)
		g.size += len(sealed.key) + len(sealed.value)
	}
	g.count, g.last = g.count+1, b
	return nil
}

func namedAgain(later []touch, key []byte) bool {
	for _, one := range later {
		if bytes.Equal(one.key, key) {
			return true
		}
	}
	return false
}

// sealed is the item of a sealed row that the entry at an index names. A bound row that is not there must have been
// erased by a later event.
func (g *gathering) sealed(at uint64, one touch) (batchItem, error) {
	erase := batchItem{kind: 'x', key: one.key}
	if one.unbinds {
		return erase, nil
	}
	value, err := SealedRow(g.r, one.key)
	if err != nil {
		return batchItem{}, err
	}
	if value != nil {
		return batchItem{kind: 's', key: one.key, value: bytes.Clone(value)}, nil
	}
	by, err := g.erasures.of(g.r, one.key, at)
	if err != nil {
		return batchItem{}, err
	}
	g.erased = max(g.erased, by)
	return erase, nil
}

// checkItems refuses items that a restore would refuse: a sealed row that no entry before it names.
func (s *schema) checkItems(first uint64, items []batchItem) error {
	named, at := map[string]bool{}, first
	for _, item := range items {
		if item.kind != 'e' {
			if !named[string(item.key)] {
				return fmt.Errorf("beside body %d: %w", at-1, errUntouched)
			}
			delete(named, string(item.key))
			continue
		}
		b, err := cutBody(item.value)
		if err != nil {
			return fmt.Errorf("body %d: %w", at, err)
		}
		b.Index = at
		touched, err := s.touches(b)
		if err != nil {
			return fmt.Errorf("body %d: %w: %w", at, ErrDamaged, err)
		}
		for _, one := range touched {
			named[string(one.key)] = true
		}
		at++
	}
	return nil
}

// entryItem makes the item of a body's row, which must have the index want.
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

// bodyOf reads the row of a body, which must have the index at, and makes the item of its entry.
func bodyOf(key, row []byte, at uint64) (*body, batchItem, error) {
	item, err := entryItem(key, row, at)
	if err != nil {
		return nil, item, err
	}
	b, err := cutBody(item.value)
	if err != nil {
		return nil, item, fmt.Errorf("body %d: %w", at, err)
	}
	b.Index = at
	return b, item, nil
}

// erasures finds the events that have erased sealed rows. It may be used for several snapshots, one after the other.
type erasures struct {
	j     *Journal
	known map[string]uint64 // key → the index of the last event that unbinds it; nil until all were looked at
}

// of is the index of an event after the one at an index that unbinds a sealed row. If the hint leads to none, all
// events are looked at, once. ErrDamaged when there is none.
func (e *erasures) of(r Reader, key []byte, after uint64) (uint64, error) {
	prover, err := e.j.Prover(r)
	if err != nil {
		return 0, err
	}
	hint, err := r.Get(unboundTable, key)
	if err != nil {
		return 0, err
	}
	if at, err := parseIndex(hint); err == nil && at > after {
		if erases, err := e.erases(prover, at, key); err == nil && erases {
			return at, nil
		}
	}
	if e.known == nil {
		if err := e.scan(r); err != nil {
			return 0, err
		}
	}
	if at, ok := e.known[string(key)]; ok && at > after {
		if erases, err := e.erases(prover, at, key); err != nil || erases {
			return at, err
		}
	}
	return 0, fmt.Errorf("the sealed row that body %d names is missing, and no event has erased it: %w", after,
		ErrDamaged)
}

// erases says whether the entry at an index, which is proved, unbinds a sealed row.
func (e *erasures) erases(p *Prover, at uint64, key []byte) (bool, error) {
	record, err := p.Record(at)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	touched, err := e.j.schema.touches(&body{Entry: record.Entry, Type: record.Type, Data: record.Data})
	for _, one := range touched {
		if one.unbinds && bytes.Equal(one.key, key) {
			return true, err
		}
	}
	return false, err
}

// scan looks at all events for those that unbind sealed rows. They are proved when they are used.
func (e *erasures) scan(r Reader) error {
	e.known = map[string]uint64{}
	next := uint64(0)
	return r.Scan(bodyTable, Range{}, func(key, row []byte) error {
		b, _, err := bodyOf(key, row, next)
		if err != nil {
			return err
		}
		next++
		touched, err := e.j.schema.touches(b)
		for _, one := range touched {
			if one.unbinds {
				e.known[string(one.key)] = b.Index
			}
		}
		return err
	})
}
