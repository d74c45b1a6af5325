package journal

import (
	"bytes"
	"fmt"
)

// changeTable has the changes of several events that are not shipped yet, so that they are shipped whole: index of the
// last event → index of the first.
var changeTable = Table{Volatile, "change"}

// insideChange says whether the entry at index at belongs to a change that began before it.
func insideChange(r Reader, at uint64) (inside bool, err error) {
	err = r.Scan(changeTable, Range{From: indexKey(at)}, func(_, row []byte) error {
		first, err := parseIndex(row)
		if err != nil {
			return err
		}
		inside = first < at
		return Stop
	})
	return inside, err
}

// shippedTable holds how far the journal was released, so that a bucket that lost its head is noticed.
var (
	shippedTable = Table{Volatile, "shipped"}
	shippedKey   = []byte("size")
	// shippedUnder has the number of the shipping key of the newest released head that this backend knows.
	shippedUnder = []byte("key")
)

// noteShipped stores how far the journal was released, and forgets where the changes before that end. It is part of a
// group's transaction, so that it costs none of its own.
func (g *group) noteShipped(j *Journal) error {
	shipped := j.swapped.Load()
	if j.provisional.Load() { // nothing has authenticated the released head
		return nil
	}
	if shipped == nil || shipped.Size == 0 {
		return nil
	}
	g.set(shippedTable, shippedKey, indexKey(shipped.Size))
	g.set(shippedTable, shippedUnder, indexKey(uint64(shipped.Key)))
	var done [][]byte
	err := g.Scan(changeTable, Range{To: indexKey(shipped.Size)}, func(key, _ []byte) error {
		done = append(done, bytes.Clone(key))
		return nil
	})
	if err != nil {
		return fmt.Errorf("forgetting where shipped changes end: %w", err)
	}
	for _, key := range done {
		g.set(changeTable, key, nil)
	}
	return nil
}
