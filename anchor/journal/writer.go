package journal

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// boundTable has, for each sealed row, the index of the event that bound it last. A sealed row that is missing and
// still bound is an alarm.
var boundTable = Table{Projection, "journal.bound"}

// unboundTable has, for each sealed row that was unbound, the index of the event that unbound it.
var unboundTable = Table{Projection, "journal.released"}

// rewrittenTable has, for each bound sealed row that was written anew, the index of the last event that did so.
var rewrittenTable = Table{Projection, "journal.rewritten"}

// Writer is what a reducer writes to.
type Writer struct {
	*overlay
	entry   Entry
	bound   [][]byte // sealed rows bound by this change, or written anew
	unbound [][]byte
}

// Put writes a row of a projection.
func (w *Writer) Put(t Table, key, value []byte) error {
	if t.Kind != Projection {
		return fmt.Errorf("writing %s: %w", t, errNotProjection)
	}
	if err := errors.Join(checkKey(key), checkValue(value)); err != nil {
		return fmt.Errorf("writing %s: %w", t, err)
	}
	w.set(t, key, slices.Clone(value))
	return nil
}

// Delete removes a row of a projection.
func (w *Writer) Delete(t Table, key []byte) error {
	if t.Kind != Projection {
		return fmt.Errorf("deleting from %s: %w", t, errNotProjection)
	}
	if err := checkKey(key); err != nil {
		return fmt.Errorf("deleting from %s: %w", t, err)
	}
	w.set(t, key, nil)
	return nil
}

// Bind says that from this event on there must be a sealed row under the key.
func (w *Writer) Bind(sealedKey []byte) error {
	w.bound = append(w.bound, slices.Clone(sealedKey))
	return w.Put(boundTable, sealedKey, indexKey(w.entry.Index))
}

// Rewrite says that this event writes a sealed row anew, which an earlier event has bound and goes on binding.
func (w *Writer) Rewrite(sealedKey []byte) error {
	row, err := w.Get(boundTable, sealedKey)
	if err != nil {
		return err
	}
	if row == nil {
		return fmt.Errorf("writing a sealed row anew: %w", errUnbound)
	}
	w.bound = append(w.bound, slices.Clone(sealedKey))
	return w.Put(rewrittenTable, sealedKey, indexKey(w.entry.Index))
}

// Unbind says that from this event on there must be no sealed row under the key.
func (w *Writer) Unbind(sealedKey []byte) error {
	w.unbound = append(w.unbound, slices.Clone(sealedKey))
	if err := w.Put(unboundTable, sealedKey, indexKey(w.entry.Index)); err != nil {
		return err
	}
	return errors.Join(w.Delete(boundTable, sealedKey), w.Delete(rewrittenTable, sealedKey))
}

// Owe makes a duty of a kind (letters, digits, '_') that is due at a time, about this event's document. An event makes
// at most one duty of a kind.
func (w *Writer) Owe(kind string, due time.Time) error {
	if due.Before(time.UnixMicro(0)) {
		due = time.UnixMicro(0) // rows are in the order of their due times, which begin with 1970
	}
	d := Duty{Kind: kind, Due: due.UTC().Truncate(time.Microsecond), Index: w.entry.Index, Doc: w.entry.Doc}
	return w.Put(dutyTable, d.key(), d.Doc[:])
}
