package journal

import (
	"errors"
	"slices"
	"strings"
)

// overlay holds writes above a reader until it is known whether they are to stand: bbolt has no savepoints.
type overlay struct {
	base   Reader
	tables map[Table]map[string][]byte // a nil value deletes
}

func newOverlay(base Reader) *overlay {
	return &overlay{base: base, tables: make(map[Table]map[string][]byte, 8)}
}

// Get reads through the overlay.
func (o *overlay) Get(t Table, key []byte) ([]byte, error) {
	if rows := o.tables[t]; rows != nil {
		if value, ok := rows[string(key)]; ok {
			return value, nil
		}
	}
	return o.base.Get(t, key)
}

// Scan merges the overlay's rows into the base's.
func (o *overlay) Scan(t Table, r Range, fn func(key, value []byte) error) error {
	own := o.within(t, r)
	if len(own) == 0 {
		return o.base.Scan(t, r, fn)
	}
	rows := o.tables[t]
	before := func(a, b string) bool { return a < b != r.Reverse && a != b }
	emit := func(key string) error {
		if value := rows[key]; value != nil {
			return fn([]byte(key), value)
		}
		return nil
	}
	stopped := false
	err := o.base.Scan(t, r, func(key, value []byte) error {
		for len(own) > 0 && before(own[0], string(key)) {
			if err := emit(own[0]); err != nil {
				stopped = true
				return err
			}
			own = own[1:]
		}
		if len(own) > 0 && own[0] == string(key) {
			own = own[1:]
			if err := emit(string(key)); err != nil {
				stopped = true
				return err
			}
			return nil
		}
		if err := fn(key, value); err != nil {
			stopped = true
			return err
		}
		return nil
	})
	if err != nil || stopped {
		return err
	}
	for _, key := range own {
		if err := emit(key); err != nil {
			if errors.Is(err, Stop) {
				return nil
			}
			return err
		}
	}
	return nil
}

// within is the overlay's keys of a range, in the order of a scan.
func (o *overlay) within(t Table, r Range) []string {
	var keys []string
	for key := range o.tables[t] {
		if (r.From == nil || key >= string(r.From)) && (r.To == nil || key < string(r.To)) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if r.Reverse {
		slices.Reverse(keys)
	}
	return keys
}

// set writes a row, or deletes it when value is nil. The overlay keeps value; the caller must not change it again.
func (o *overlay) set(t Table, key, value []byte) {
	rows := o.tables[t]
	if rows == nil {
		rows = make(map[string][]byte, 8)
		o.tables[t] = rows
	}
	rows[string(key)] = value
}

// mergeInto moves the overlay's writes into another overlay.
func (o *overlay) mergeInto(into *overlay) {
	for t, rows := range o.tables {
		for key, value := range rows {
			into.set(t, []byte(key), value)
		}
	}
}

// flush writes the overlay to a transaction, table by table in the order of keys: the order that B-trees like best.
func (o *overlay) flush(tx Txn) error {
	tables := make([]Table, 0, len(o.tables))
	for t := range o.tables {
		tables = append(tables, t)
	}
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(a.String(), b.String()) })
	for _, t := range tables {
		for _, key := range o.within(t, Range{}) {
			var err error
			if value := o.tables[t][key]; value != nil {
				err = tx.Put(t, []byte(key), value)
			} else {
				err = tx.Delete(t, []byte(key))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
