package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// Duties are work outside of the journal that must follow a commit. A reducer owes one (Writer.Owe); a worker performs
// it and says so by an event, in batches.

var (
	dutyTable  = Table{Projection, "journal.duty"} // kind, 0, due, index → document
	leaseTable = Table{Volatile, "lease"}          // kind → lease
)

// maxDuties is how many duties fit into the event that settles them.
const maxDuties = 1000

// Duty is something owed.
type Duty struct {
	Kind  string
	Due   time.Time
	Index uint64 // of the event that owes it
	Doc   ID     // the document that event is about
}

func (d Duty) key() []byte {
	key := append([]byte(d.Kind), 0)
	key = binary.BigEndian.AppendUint64(key, uint64(d.Due.UnixMicro()))
	return binary.BigEndian.AppendUint64(key, d.Index)
}

func parseDuty(kind string, key, row []byte) (Duty, error) {
	rest, ok := bytes.CutPrefix(key, append([]byte(kind), 0))
	if !ok || len(rest) != 16 || len(row) != len(ID{}) {
		return Duty{}, fmt.Errorf("a row of %s cannot be read: %w", dutyTable, ErrDamaged)
	}
	micros := int64(binary.BigEndian.Uint64(rest))
	return Duty{Kind: kind, Due: time.UnixMicro(micros).UTC(), Index: binary.BigEndian.Uint64(rest[8:]), Doc: ID(row)},
		nil
}

// Done is a duty that was performed. It is due again at Again, or never when that is zero.
type Done struct {
	Duty
	Again time.Time
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

// Worker performs the duties of one kind.
type Worker struct {
	Kind  string
	Batch int           // how many at most to perform before their completion is recorded; at most 1000
	Every time.Duration // how often to look when nothing is known to be due
	// Do performs duties, each of which may have been performed before, and returns those that are done; the others
	// stay due. An error is logged, and the duties returned with it are recorded all the same.
	Do func(ctx context.Context, due []Duty) ([]Done, error)
}

// Work performs duties until ctx ends or the journal closes.
func (j *Journal) Work(ctx context.Context, w Worker) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-j.ctx.Done():
			return ErrClosed
		case <-j.stopped:
			return ErrStopped
		}
		n, err := j.WorkOnce(ctx, w)
		if err != nil && ctx.Err() == nil {
			j.cfg.Log.Warn("duties could not be performed; trying again", "kind", w.Kind, "error", err)
		}
		if n == w.Batch && err == nil {
			timer.Reset(0)
		} else {
			timer.Reset(w.Every)
		}
	}
}

// WorkOnce performs one batch of what is due now and returns how many duties were done. It does nothing while somebody
// else holds the lease for this kind.
func (j *Journal) WorkOnce(ctx context.Context, w Worker) (int, error) {
	if w.Batch < 1 || w.Batch > maxDuties {
		return 0, fmt.Errorf("a worker's batch of %d duties is not of 1 to %d", w.Batch, maxDuties)
	}
	due, err := j.due(ctx, w)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	if held, err := j.lease(ctx, w.Kind); err != nil || !held {
		return 0, err
	}
	done, failed := w.Do(ctx, due)
	if len(done) == 0 {
		return 0, failed
	}
	data := Settled{Kind: w.Kind}
	for _, d := range done {
		again := int64(0)
		if !d.Again.IsZero() {
			again = d.Again.UnixMicro()
		}
		data.Done = append(data.Done, [3]int64{d.Due.UnixMicro(), int64(d.Index), again})
	}
	_, err = j.Commit(ctx, Actor{System, "duty"}, func(v View) (Change, error) {
		owed := Settled{Kind: data.Kind}
		seen := map[[2]int64]bool{}
		for _, d := range data.Done { // somebody else may have settled some: leases expire
			key := [2]int64{d[0], d[1]}
			if seen[key] {
				continue
			}
			seen[key] = true
			row, err := v.Get(dutyTable, Duty{Kind: w.Kind, Due: time.UnixMicro(d[0]), Index: uint64(d[1])}.key())
			if err != nil {
				return Change{}, err
			}
			if row != nil {
				owed.Done = append(owed.Done, d)
			}
		}
		if len(owed.Done) == 0 {
			return Change{}, nil
		}
		return Change{Events: []Event{settled.New(ID{}, owed)}}, nil
	})
	if err != nil {
		return 0, err
	}
	return len(done), failed
}

// due reads a batch of duties that are due.
func (j *Journal) due(ctx context.Context, w Worker) (due []Duty, err error) {
	prefix := append([]byte(w.Kind), 0)
	until := Duty{Kind: w.Kind, Due: j.cfg.Clock.Now(), Index: ^uint64(0)}.key()
	err = j.View(ctx, func(r Reader) error {
		due = nil
		return r.Scan(dutyTable, Range{From: prefix, To: until}, func(key, row []byte) error {
			if len(due) == w.Batch {
				return Stop
			}
			d, err := parseDuty(w.Kind, key, row)
			due = append(due, d)
			return err
		})
	})
	return due, err
}

// Overdue counts the duties of a kind that have been due since before a time, up to most.
func (j *Journal) Overdue(ctx context.Context, kind string, before time.Time, most int) (n int, err error) {
	until := Duty{Kind: kind, Due: before}.key()
	err = j.View(ctx, func(r Reader) error {
		n = 0
		return r.Scan(dutyTable, Range{From: append([]byte(kind), 0), To: until}, func(_, _ []byte) error {
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
