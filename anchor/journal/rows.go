package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Rows is a typed projection: rows of JSON under byte keys, and indexes that are kept in step with them.
type Rows[V any] struct {
	table   Table
	indexes []RowIndex[V]
}

// RowIndex is an index over Rows. An index row stands under the index key followed by the row's key, so rows with equal
// index keys lie together in the order of their own keys. Index keys must end visibly, or be of one length: no index
// key may be the beginning of another.
type RowIndex[V any] struct {
	Name string
	Keys func(key []byte, v V) [][]byte
}

// NewRows names a projection and its indexes. The index rows stand in tables of their own: name.by_index.
func NewRows[V any](name string, indexes ...RowIndex[V]) Rows[V] {
	return Rows[V]{table: Table{Projection, name}, indexes: indexes}
}

func (t Rows[V]) indexTable(name string) Table {
	return Table{Projection, t.table.Name + ".by_" + name}
}

// Get reads a row; ok is false when there is none. The slices and maps of the value must not be changed: in a decide,
// commits of one group that read the same row share it.
func (t Rows[V]) Get(r Reader, key []byte) (v V, ok bool, err error) {
	raw, err := r.Get(t.table, key)
	if err != nil || raw == nil {
		return v, false, err
	}
	shared, _ := r.(view)
	if v, ok := cached[V](shared.cache, t.table, key, raw); ok {
		return v, true, nil
	}
	if v, err = t.decode(raw); err != nil {
		return v, false, err
	}
	shared.cache.store(t.table, key, raw, v)
	return v, true, nil
}

func (t Rows[V]) decode(raw []byte) (v V, err error) {
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("a row of %s cannot be read: %w", t.table, ErrDamaged)
	}
	return v, nil
}

// Put writes a row and its index rows.
func (t Rows[V]) Put(w *Writer, key []byte, v V) error {
	if err := t.unindex(w, key); err != nil {
		return err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing a row of %s: %w", t.table, err)
	}
	if err := w.Put(t.table, key, raw); err != nil {
		return err
	}
	for _, index := range t.indexes {
		for _, indexKey := range index.Keys(key, v) {
			if err := t.putIndex(w, index.Name, bytes.Join([][]byte{indexKey, key}, nil), key); err != nil {
				return err
			}
		}
	}
	return nil
}

// putIndex writes an index row, unless it would take the place of another row's.
func (t Rows[V]) putIndex(w *Writer, name string, full, key []byte) error {
	there, err := w.Get(t.indexTable(name), full)
	if err != nil {
		return err
	}
	if there != nil && !bytes.Equal(there, key) {
		return fmt.Errorf("two rows of %s have the same key in its index %s: index keys need an end or a fixed length",
			t.table, name)
	}
	return w.Put(t.indexTable(name), full, key)
}

// Delete removes a row and its index rows.
func (t Rows[V]) Delete(w *Writer, key []byte) error {
	if err := t.unindex(w, key); err != nil {
		return err
	}
	return w.Delete(t.table, key)
}

// unindex removes the index rows of a row as it stands.
func (t Rows[V]) unindex(w *Writer, key []byte) error {
	if len(t.indexes) == 0 {
		return nil
	}
	old, ok, err := t.Get(w, key)
	if err != nil || !ok {
		return err
	}
	for _, index := range t.indexes {
		for _, indexKey := range index.Keys(key, old) {
			if err := w.Delete(t.indexTable(index.Name), bytes.Join([][]byte{indexKey, key}, nil)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Scan calls fn for each row of a range of keys. Stop ends it without an error.
func (t Rows[V]) Scan(r Reader, rg Range, fn func(key []byte, v V) error) error {
	return r.Scan(t.table, rg, func(key, raw []byte) error {
		v, err := t.decode(raw)
		if err != nil {
			return err
		}
		return fn(key, v)
	})
}

// ScanBy calls fn for each row of a range of an index, in the index's order. The range is over index key followed by
// key.
func (t Rows[V]) ScanBy(r Reader, index string, rg Range, fn func(indexKey, key []byte, v V) error) error {
	return r.Scan(t.indexTable(index), rg, func(full, key []byte) error {
		v, ok, err := t.Get(r, key)
		if err == nil && (!ok || !bytes.HasSuffix(full, key)) {
			err = fmt.Errorf("an index row of %s leads nowhere: %w", t.table, ErrDamaged)
		}
		if err != nil {
			return err
		}
		return fn(full[:len(full)-len(key)], key, v)
	})
}
