package journal

import (
	"bytes"
	"errors"
	"slices"
	"strings"
)

type row struct {
	key, value []byte
}

// overlay holds writes above a reader until they are committed or dropped: bbolt has no savepoints.
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

// Scan merges the overlay's rows into the base's. It shows the overlay as it was when the scan began, without rows that
// fn writes.
func (o *overlay) Scan(t Table, r Range, fn func(key, value []byte) error) error {
	own := o.within(t, r)
	if len(own) == 0 {
		return o.base.Scan(t, r, fn)
	}
	before := func(a, b []byte) bool {
		order := bytes.Compare(a, b)
		return order < 0 && !r.Reverse || order > 0 && r.Reverse
	}
	emit := func() error {
		first := own[0]
		own = own[1:]
		if first.value == nil {
			return nil
		}
		return fn(first.key, first.value)
	}
	stopped := false
	err := o.base.Scan(t, r, func(key, value []byte) (err error) {
		for err == nil && len(own) > 0 && before(own[0].key, key) {
			err = emit()
		}
		switch {
		case err != nil:
		case len(own) > 0 && bytes.Equal(own[0].key, key):
			err = emit()
		default:
			err = fn(key, value)
		}
		stopped = err != nil
		return err
	})
	for err == nil && !stopped && len(own) > 0 {
		err = emit()
	}
	if errors.Is(err, Stop) {
		return nil
	}
	return err
}

// within is the overlay's rows of a range, in the order of a scan.
func (o *overlay) within(t Table, r Range) []row {
	var rows []row
	for key, value := range o.tables[t] {
		if (r.From == nil || key >= string(r.From)) && (r.To == nil || key < string(r.To)) {
			rows = append(rows, row{[]byte(key), value})
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		if r.Reverse {
			a, b = b, a
		}
		return bytes.Compare(a.key, b.key)
	})
	return rows
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
		for _, row := range o.within(t, Range{}) {
			var err error
			if row.value != nil {
				err = tx.Put(t, row.key, row.value)
			} else {
				err = tx.Delete(t, row.key)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
