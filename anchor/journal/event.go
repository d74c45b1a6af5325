package journal

import (
	"encoding/json"
	"fmt"
	"time"
)

// Entry is an event that has its place in the log: what a reducer sees of a body besides its data.
type Entry struct {
	Index uint64    // of the leaf
	At    time.Time // UTC, microseconds; never before that of an earlier event
	// Wall is what the clock said: before At where an earlier event has a later time, as after a clock that was ahead
	// is put right. Ages are reckoned from it, as At may stand still then for as long as the clock was ahead.
	Wall time.Time
	// Settled is the settled time, which waiting periods and lapses go by; see SettledTime.
	Settled time.Time
	Tenant  string
	Seq     uint64 // gapless within the tenant, from 1
	Actor   string
	Doc     ID
	Prev    *uint64 // the index of the previous event about the same document
	// Auth is the index of the previous event about principals, keys and grants; nil for the first of them, and for
	// other events.
	Auth *uint64
}

// Type is an event type with its version, "document.deposited/1", and the Go type of its data. Fields of D may be
// added, never renamed or removed.
type Type[D any] string

// New is an event of this type. doc is the zero ID for events that are not about one document.
func (t Type[D]) New(doc ID, data D) Event { return Event{Type: string(t), Doc: doc, Data: data} }

// On defines the reducer of this type: it copies from the event to projections, and has no clock, randomness or I/O.
func (t Type[D]) On(reduce func(w *Writer, e Entry, data D) error) Definition {
	return Definition{
		Type: string(t),
		reduce: func(w *Writer, e Entry, raw json.RawMessage) error {
			var data D
			if err := json.Unmarshal(raw, &data); err != nil {
				return fmt.Errorf("reading the data of %s: %w", t, err)
			}
			return reduce(w, e, data)
		},
	}
}

// Definition is an event type that a journal knows. Types that it does not know are refused, in Commit and in replay.
type Definition struct {
	Type   string
	quiet  bool
	auth   bool
	reduce func(w *Writer, e Entry, data json.RawMessage) error
}

// Quiet marks events that neither wake a feed nor cause an anchor.
func (d Definition) Quiet() Definition {
	d.quiet = true
	return d
}

// Auth marks events about principals, keys and grants. They form a chain of their own, whose newest index stands in the
// head, so that a walk along it finds everything that was granted and everything that was revoked.
func (d Definition) Auth() Definition {
	d.auth = true
	return d
}
