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

// errLateBinding says that a reducer has read a table before it named a sealed row.
var errLateBinding = errors.New("the reducer names a sealed row after it has read a table")

// errNamesOnly is what a reducer is told that reads a table when only its sealed rows are asked for.
var errNamesOnly = errors.New("only the sealed rows of the event are asked for")

// Writer is what a reducer writes to.
//
// A reducer names the sealed rows of its event (Bind, Rewrite, Unbind) before it reads any table: which rows are
// shipped beside an event then follows from the event alone, and nobody who can write to the tables changes it.
type Writer struct {
	*overlay  // nil: only the sealed rows are asked for
	entry     Entry
	touched   []touch     // of the events of this change
	hasLooked bool        // the reducer of this event has read a table
	time      SettledTime // after this event, and what its reducer does
}

// touch says that an event binds a sealed row, writes it anew or unbinds it.
type touch struct {
	key     []byte
	unbinds bool
}

// Get reads a row of a table.
func (w *Writer) Get(t Table, key []byte) ([]byte, error) {
	w.hasLooked = true
	if w.overlay == nil {
		return nil, errNamesOnly
	}
	return w.overlay.Get(t, key)
}

// Scan reads the rows of a table.
func (w *Writer) Scan(t Table, r Range, fn func(key, value []byte) error) error {
	w.hasLooked = true
	if w.overlay == nil {
		return errNamesOnly
	}
	return w.overlay.Scan(t, r, fn)
}

// name notes a sealed row of the event. The journal goes on only if the tables are to be written.
func (w *Writer) name(sealedKey []byte, unbinds bool) (goOn bool, err error) {
	if w.hasLooked {
		return false, errLateBinding
	}
	w.touched = append(w.touched, touch{slices.Clone(sealedKey), unbinds})
	return w.overlay != nil, nil
}

// Put writes a row of a projection.
func (w *Writer) Put(t Table, key, value []byte) error {
	if t.Kind != Projection {
		return fmt.Errorf("writing %s: %w", t, errNotProjection)
	}
	if err := errors.Join(checkKey(key), checkValue(value)); err != nil {
		return fmt.Errorf("writing %s: %w", t, err)
	}
	if w.overlay != nil {
		w.set(t, key, slices.Clone(value))
	}
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
	if w.overlay != nil {
		w.set(t, key, nil)
	}
	return nil
}

// Bind says that from this event on there must be a sealed row under the key.
func (w *Writer) Bind(sealedKey []byte) error {
	if goOn, err := w.name(sealedKey, false); !goOn {
		return err
	}
	return w.Put(boundTable, sealedKey, indexKey(w.entry.Index))
}

// Rewrite says that this event writes a sealed row anew, which an earlier event has bound and goes on binding.
func (w *Writer) Rewrite(sealedKey []byte) error {
	if goOn, err := w.name(sealedKey, false); !goOn {
		return err
	}
	row, err := w.overlay.Get(boundTable, sealedKey)
	if err != nil {
		return err
	}
	if row == nil {
		return fmt.Errorf("writing a sealed row anew: %w", errUnbound)
	}
	return w.Put(rewrittenTable, sealedKey, indexKey(w.entry.Index))
}

// Unbind says that from this event on there must be no sealed row under the key.
func (w *Writer) Unbind(sealedKey []byte) error {
	if goOn, err := w.name(sealedKey, true); !goOn {
		return err
	}
	if err := w.Put(unboundTable, sealedKey, indexKey(w.entry.Index)); err != nil {
		return err
	}
	return errors.Join(w.Delete(boundTable, sealedKey), w.Delete(rewrittenTable, sealedKey))
}

// Owe makes a duty of a kind (letters, digits, '_') about this event's document that is due at a time, or at once if
// the time is zero. An event makes at most one duty of a kind.
//
// A duty that is due at once is so whatever the clock says, now or later. Any other time is compared with the clock's,
// so it has to come from what must not be missed, such as the end of a lock: the time of the event stands still for
// long after a clock that was ahead is put right.
func (w *Writer) Owe(kind string, due time.Time) error {
	due = later(atOnce, due.UTC().Truncate(time.Microsecond))
	d := Duty{Kind: kind, Due: due, Index: w.entry.Index, Doc: w.entry.Doc}
	return w.Put(dutyTable, d.key(), d.Doc[:])
}
