package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"muniment/anchor/journal"
)

// contextEvery is after how many rows a Scan asks whether it is still wanted.
const contextEvery = 256

// reader reads in one bbolt transaction.
type reader struct {
	ctx     context.Context
	s       *Store
	tx      *bbolt.Tx
	buckets map[journal.Table]*bbolt.Bucket
	writes  int   // so many changes were made; bbolt's cursors do not survive one
	damage  error // the first that was met; the transaction must not be committed, whatever fn makes of it
}

func newReader(ctx context.Context, s *Store, tx *bbolt.Tx) *reader {
	return &reader{ctx: ctx, s: s, tx: tx, buckets: make(map[journal.Table]*bbolt.Bucket)}
}

// bucket is the table's bucket, or nil if there is none.
func (r *reader) bucket(t journal.Table) *bbolt.Bucket {
	if b := r.buckets[t]; b != nil {
		return b
	}
	b := r.tx.Bucket([]byte(t.String()))
	if b != nil {
		b.FillPercent = fillPercent(t.Kind)
		r.buckets[t] = b
	}
	return b
}

// Get returns a row's value.
func (r *reader) Get(t journal.Table, key []byte) (value []byte, err error) {
	defer r.guard(t, &err)
	b := r.bucket(t)
	if b == nil {
		return nil, nil
	}
	value = b.Get(key)
	if value != nil && len(value) == 0 {
		return nil, r.damaged(t, "a row without a value")
	}
	return value, nil
}

// Scan calls fn for each row of the range.
func (r *reader) Scan(t journal.Table, rg journal.Range, fn func(key, value []byte) error) error {
	c, key, value, err := r.seek(t, rg)
	for n := 1; err == nil && key != nil && inside(rg, key); n++ {
		if len(value) == 0 {
			return r.damaged(t, "a row without a value")
		}
		if n%contextEvery == 0 && r.ctx.Err() != nil {
			return fmt.Errorf("scanning %s in %s: %w", t, r.s.path, r.ctx.Err())
		}
		writes := r.writes
		if err := fn(key, value); err != nil {
			if errors.Is(err, journal.Stop) {
				return nil
			}
			return err
		}
		if r.writes == writes {
			key, value, err = r.next(t, c, rg, key)
			continue
		}
		if rg.Reverse {
			rg.To = key
		} else {
			rg.From = append(bytes.Clone(key), 0)
		}
		c, key, value, err = r.seek(t, rg)
	}
	return err
}

// seek moves a new cursor to the range's first row, in the order of the scan.
func (r *reader) seek(t journal.Table, rg journal.Range) (c *bbolt.Cursor, key, value []byte, err error) {
	defer r.guard(t, &err)
	b := r.bucket(t)
	if b == nil {
		return nil, nil, nil, nil
	}
	c = b.Cursor()
	switch {
	case !rg.Reverse && rg.From == nil:
		key, value = c.First()
	case !rg.Reverse:
		key, value = c.Seek(rg.From)
	default:
		key, value = r.last(c, rg.To)
	}
	return c, key, value, nil
}

// next moves the cursor on from the row of the key given.
func (r *reader) next(t journal.Table, c *bbolt.Cursor, rg journal.Range, from []byte) (key, value []byte, err error) {
	defer r.guard(t, &err)
	if rg.Reverse {
		key, value = r.previous(c, from)
	} else {
		key, value = c.Next()
	}
	return key, value, nil
}

// last moves the cursor to the last row before the key given, or before the table's end if that is nil.
func (r *reader) last(c *bbolt.Cursor, before []byte) (key, value []byte) {
	if !r.anyBefore(c, before) {
		return nil, nil
	}
	if before != nil {
		if key, _ := c.Seek(before); key != nil {
			return r.previous(c, before)
		}
	}
	return c.Last()
}

// previous moves the cursor, which is at the key given or after it, to the row before the key.
func (r *reader) previous(c *bbolt.Cursor, from []byte) (key, value []byte) {
	key, value = c.Prev()
	if key == nil && r.writes > 0 && r.anyBefore(c, from) {
		for key == nil {
			key, value = c.Prev()
		}
	}
	return key, value
}

// anyBefore says whether there is a row before the key given, or any at all if that is nil. Pages that this transaction
// has emptied are still in bbolt's tree: there Prev returns nil as if it had come to the beginning, and Last may not
// return.
func (r *reader) anyBefore(c *bbolt.Cursor, before []byte) bool {
	if r.writes == 0 {
		return true
	}
	first, _ := c.Bucket().Cursor().First()
	return first != nil && (before == nil || bytes.Compare(first, before) < 0)
}

func inside(rg journal.Range, key []byte) bool {
	return (rg.From == nil || bytes.Compare(key, rg.From) >= 0) && (rg.To == nil || bytes.Compare(key, rg.To) < 0)
}

func (r *reader) tables() (tables []journal.Table, err error) {
	defer r.guard(journal.Table{Name: "*"}, &err)
	err = r.tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		if len(name) < 3 || name[1] != '.' {
			return fmt.Errorf("%w: %q is no table's name", journal.ErrDamaged, name)
		}
		if key, _ := b.Cursor().First(); key != nil {
			tables = append(tables, journal.Table{Kind: journal.Kind(name[0]), Name: string(name[2:])})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the tables of %s: %w", r.s.path, err)
	}
	return tables, nil
}

// txn writes in one bbolt transaction.
type txn struct {
	*reader
	arena []byte
}

// Put writes a row.
func (x *txn) Put(t journal.Table, key, value []byte) (err error) {
	defer x.guard(t, &err)
	if len(key) == 0 || len(value) == 0 {
		return fmt.Errorf("writing to %s: a row needs a key and a value", t)
	}
	b := x.bucket(t)
	if b == nil {
		if b, err = x.create(t); err != nil {
			return err
		}
	}
	if err := b.Put(key, x.copy(value)); err != nil {
		return fmt.Errorf("writing to %s: %w", t, err)
	}
	x.writes++
	return nil
}

func (x *txn) create(t journal.Table) (*bbolt.Bucket, error) {
	if t.Kind == 0 || t.Name == "" {
		return nil, errors.New("writing to a table without a kind or a name")
	}
	if _, err := x.tx.CreateBucket([]byte(t.String())); err != nil {
		return nil, fmt.Errorf("making table %s: %w", t, err)
	}
	return x.bucket(t), nil
}

// Delete removes a row.
func (x *txn) Delete(t journal.Table, key []byte) (err error) {
	defer x.guard(t, &err)
	b := x.bucket(t)
	if b == nil {
		return nil
	}
	if err := b.Delete(key); err != nil {
		return fmt.Errorf("deleting from %s: %w", t, err)
	}
	x.writes++
	return nil
}

// copy keeps a value until the commit: bbolt copies keys, but not values.
func (x *txn) copy(value []byte) []byte {
	const chunk = 64 << 10
	if len(value) > chunk/4 {
		return bytes.Clone(value)
	}
	if cap(x.arena)-len(x.arena) < len(value) {
		x.arena = make([]byte, 0, chunk)
	}
	start := len(x.arena)
	x.arena = append(x.arena, value...)
	return x.arena[start:len(x.arena):len(x.arena)]
}

// fillPercent is how full bbolt leaves a page that it splits. Rows that only ever come at the end of a table leave
// behind pages that are never touched again, so these may be nearly full; where keys come in between, a full page would
// split at each. BenchmarkUpdate's file is 1.3 times what was put with 0.9, 1.7 times with 0.7, 2.8 times with bbolt's
// default of 0.5, which also spends twice the time in the kernel; 1.0 saves one more percent.
func fillPercent(k journal.Kind) float64 {
	switch k {
	case journal.Index, journal.Volatile:
		return bbolt.DefaultFillPercent
	default:
		return 0.9
	}
}
