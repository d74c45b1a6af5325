package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// Duties are work outside of the journal that must follow a commit. A reducer owes one (Writer.Owe); a worker performs
// it and says so by an event, in batches. A duty that fails stays owed and is tried again, apart from the others.

var (
	dutyTable  = Table{Projection, "journal.duty"} // kind, 0, due, index → document
	leaseTable = Table{Volatile, "lease"}          // kind → lease
)

// maxDuties is how many duties fit into the event that settles them.
const maxDuties = 1000

// atOnce is when duties are due that do not wait for a time. They are in the order of their events.
var atOnce = time.UnixMicro(0).UTC()

// Duty is something owed.
type Duty struct {
	Kind  string
	Due   time.Time // by the clock; the beginning of 1970 for a duty that was due at once
	Index uint64    // of the event that owes it
	Doc   ID        // the document that event is about
}

func (d Duty) key() []byte {
	key := append([]byte(d.Kind), 0)
	key = binary.BigEndian.AppendUint64(key, uint64(d.Due.UnixMicro()))
	return binary.BigEndian.AppendUint64(key, d.Index)
}

// firstTimed is the place of the first duty of a kind that was not due at once.
func firstTimed(kind string) []byte { return Duty{Kind: kind, Due: atOnce.Add(time.Microsecond)}.key() }

func parseDuty(kind string, key, row []byte) (Duty, error) {
	rest, ok := bytes.CutPrefix(key, append([]byte(kind), 0))
	if !ok || len(rest) != 16 || len(row) != len(ID{}) {
		return Duty{}, fmt.Errorf("a row of %s cannot be read: %w", dutyTable, ErrDamaged)
	}
	micros := int64(binary.BigEndian.Uint64(rest))
	return Duty{Kind: kind, Due: time.UnixMicro(micros).UTC(), Index: binary.BigEndian.Uint64(rest[8:]), Doc: ID(row)},
		nil
}

// Outcome is how a duty went. A duty that was not tried has none, and stays due.
type Outcome struct {
	Duty
	// Again is when a duty that was performed is due again; zero for never.
	Again time.Time
	// Failed is why it could not be performed; nil when it was.
	Failed error
}

// settled is the event of a batch of duties performed. It is quiet. It names duties by the indexes of the events that
// owe them, so it discloses no document.
const settled Type[Settled] = "duty.settled/1"

// Settled is the data of duty.settled/1.
type Settled struct {
	Kind string `json:"kind"`
	// Done lists, for each duty, when it was due, the index of the event that owes it, and when it is due again (0:
	// never); times in microseconds since 1970.
	Done [][3]int64 `json:"done"`
}

func reduceSettled(w *Writer, _ Entry, data Settled) error {
	for _, done := range data.Done {
		d := Duty{Kind: data.Kind, Due: time.UnixMicro(done[0]).UTC(), Index: uint64(done[1])}
		doc, err := w.Get(dutyTable, d.key())
		if err != nil {
			return err
		}
		if doc == nil {
			return fmt.Errorf("a duty is settled that is not owed: %w", ErrNotFound)
		}
		doc = bytes.Clone(doc)
		if err := w.Delete(dutyTable, d.key()); err != nil {
			return err
		}
		if done[2] == 0 {
			continue
		}
		d.Due = time.UnixMicro(done[2]).UTC()
		if err := w.Put(dutyTable, d.key(), doc); err != nil {
			return err
		}
	}
	return nil
}

// settleDuties puts on record which duties were performed, as far as they are still owed: leases expire, and somebody
// else may have settled some.
func (j *Journal) settleDuties(ctx context.Context, kind string, done []Outcome) error {
	now := j.cfg.Clock.Now()
	_, err := j.Commit(ctx, Actor{System, "duty"}, func(v View) (Change, error) {
		owed := Settled{Kind: kind}
		seen := map[string]bool{}
		for _, o := range done {
			key := o.key()
			row, err := v.Get(dutyTable, key)
			if err != nil {
				return Change{}, err
			}
			if row == nil || seen[string(key)] {
				continue
			}
			seen[string(key)] = true
			again := int64(0)
			if !o.Again.IsZero() {
				again = later(now, o.Again).UnixMicro() // so it is not passed over by those who look now
			}
			owed.Done = append(owed.Done, [3]int64{o.Due.UnixMicro(), int64(o.Index), again})
		}
		if len(owed.Done) == 0 {
			return Change{}, nil
		}
		return Change{Events: []Event{settled.New(ID{}, owed)}}, nil
	})
	return err
}

// EachOverdue calls fn for each duty of a kind that has been due since before a time, the longest overdue first, until
// fn returns an error. Stop ends it without one. It leaves out duties that were due at once, which tell no time.
func EachOverdue(r Reader, kind string, before time.Time, fn func(Duty) error) error {
	until := Duty{Kind: kind, Due: before}.key()
	return r.Scan(dutyTable, Range{From: firstTimed(kind), To: until}, func(key, row []byte) error {
		d, err := parseDuty(kind, key, row)
		if err != nil {
			return err
		}
		return fn(d)
	})
}

// Overdue counts the duties of a kind that have been due since before a time, up to most.
func (j *Journal) Overdue(ctx context.Context, kind string, before time.Time, most int) (n int, err error) {
	err = j.View(ctx, func(r Reader) error {
		n = 0
		return EachOverdue(r, kind, before, func(Duty) error {
			if n++; n == most {
				return Stop
			}
			return nil
		})
	})
	return n, err
}

// Owed counts the duties of a kind that are owed, due or not.
func (j *Journal) Owed(ctx context.Context, kind string) (n int, err error) {
	err = j.View(ctx, func(r Reader) error {
		n = 0
		return r.Scan(dutyTable, Prefix(append([]byte(kind), 0)), func(_, _ []byte) error {
			n++
			return nil
		})
	})
	return n, err
}
