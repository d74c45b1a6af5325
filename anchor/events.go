package anchor

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"muniment/anchor/journal"
	"muniment/anchor/ledger"
)

// The steps of an anchor. All of them are quiet: they neither wake a feed nor cause another anchor.
const (
	eventRequested journal.Type[requested] = "anchor.requested/1"
	eventPrepared  journal.Type[prepared]  = "anchor.prepared/1"
	eventSubmitted journal.Type[step]      = "anchor.submitted/1"
	eventIncluded  journal.Type[step]      = "anchor.included/1"
	eventFinal     journal.Type[proved]    = "anchor.final/1"
	eventLost      journal.Type[lost]      = "anchor.lost/1"
)

// requested says that somebody asked for an anchor at once.
type requested struct{}

// prepared begins an anchor, which is named by this event's index from now on.
type prepared struct {
	Kind    string         `json:"kind"`
	ID      string         `json:"id"`
	Attempt ledger.Attempt `json:"attempt"`
}

// step is about the anchor that the event at this index began.
type step struct {
	Anchor uint64 `json:"anchor"`
}

type proved struct {
	Anchor uint64          `json:"anchor"`
	Proof  json.RawMessage `json:"proof"`
}

type lost struct {
	Anchor uint64        `json:"anchor"`
	Why    ledger.Status `json:"why"` // lost or superseded
}

// system is who takes the steps.
func system() journal.Actor { return journal.Actor{Tenant: journal.System, ID: "anchor"} }

// Definitions are the event types of this package.
func Definitions() []journal.Definition {
	return []journal.Definition{
		eventRequested.On(func(*journal.Writer, journal.Entry, requested) error { return nil }).Quiet(),
		eventPrepared.On(func(w *journal.Writer, e journal.Entry, d prepared) error {
			return anchors().Put(w, rowKey(e.Index), Anchor{
				Index: e.Index, Kind: d.Kind, ID: d.ID, State: Prepared, Attempt: d.Attempt, Prepared: e.Wall,
				Updated: e.Wall,
			})
		}).Quiet(),
		eventSubmitted.On(func(w *journal.Writer, e journal.Entry, d step) error {
			return move(w, e, d.Anchor, Submitted, nil)
		}).Quiet(),
		eventIncluded.On(func(w *journal.Writer, e journal.Entry, d step) error {
			return move(w, e, d.Anchor, Included, nil)
		}).Quiet(),
		eventFinal.On(func(w *journal.Writer, e journal.Entry, d proved) error {
			return move(w, e, d.Anchor, Final, d.Proof)
		}).Quiet(),
		eventLost.On(func(w *journal.Writer, e journal.Entry, d lost) error {
			return move(w, e, d.Anchor, Lost, nil)
		}).Quiet(),
	}
}

// move copies a step into the anchor's row.
func move(w *journal.Writer, e journal.Entry, index uint64, to State, proof json.RawMessage) error {
	a, ok, err := anchors().Get(w, rowKey(index))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("moving the anchor of event %d: %w", index, journal.ErrNotFound)
	}
	a.State, a.Updated, a.Proof = to, e.Wall, proof
	return anchors().Put(w, rowKey(index), a)
}

func rowKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }
