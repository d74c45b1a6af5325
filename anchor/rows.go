package anchor

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/ledger"
)

// State is how far an anchor has come, as the journal has it on record.
type State string

// The states of an anchor. It goes down this list; a reorganization of the ledger takes an included one back to
// submitted or makes it lost. Final and Lost are the last states.
const (
	Prepared  State = "prepared"  // signed and persisted; perhaps sent
	Submitted State = "submitted" // the ledger has taken it
	Included  State = "included"  // in a block that may yet go away
	Final     State = "final"     // in a block that will not go away; the proof is on record
	Lost      State = "lost"      // it will never be in a block
)

func (s State) open() bool { return s != Final && s != Lost }

// Anchor is one checkpoint on its way to one ledger.
type Anchor struct {
	Index    uint64          `json:"index"` // of the event that began it, which names it
	Kind     string          `json:"kind"`  // of the ledger
	ID       string          `json:"id"`    // of the ledger among those of its kind
	State    State           `json:"state"`
	Attempt  ledger.Attempt  `json:"attempt"`         // with the checkpoint and its signed note
	Proof    json.RawMessage `json:"proof,omitempty"` // what ledger.Prove gave; only when final
	Prepared time.Time       `json:"prepared"`
	Updated  time.Time       `json:"updated"` // when it came into this state
}

// Size is the size of the checkpoint: the anchor covers every entry whose index is smaller.
func (a Anchor) Size() uint64 { return a.Attempt.Checkpoint.Size }

const (
	byLive  = "live"  // kind, id, origin, size; without lost ones
	byOpen  = "open"  // kind, id; those that are neither final nor lost
	byFinal = "final" // kind, id; in the order in which they were begun, whatever their origin
)

// anchors is the projection of all anchors, under the index of the event that began each.
func anchors() journal.Rows[Anchor] {
	return journal.NewRows("anchors",
		journal.RowIndex[Anchor]{Name: byLive, Keys: func(_ []byte, a Anchor) [][]byte {
			if a.State == Lost {
				return nil
			}
			key := ledgerKey(a.Kind, a.ID, a.Attempt.Checkpoint.Origin)
			return [][]byte{binary.BigEndian.AppendUint64(key, a.Size())}
		}},
		journal.RowIndex[Anchor]{Name: byOpen, Keys: func(_ []byte, a Anchor) [][]byte {
			if !a.State.open() {
				return nil
			}
			return [][]byte{ledgerKey(a.Kind, a.ID)}
		}},
		journal.RowIndex[Anchor]{Name: byFinal, Keys: func(_ []byte, a Anchor) [][]byte {
			if a.State != Final {
				return nil
			}
			return [][]byte{ledgerKey(a.Kind, a.ID)}
		}},
	)
}

// ledgerKey joins names, none of which holds a NUL, so that no key is the beginning of another ledger's.
func ledgerKey(names ...string) []byte {
	var key []byte
	for _, n := range names {
		key = append(append(key, n...), 0)
	}
	return key
}

// Query says which anchors to list.
type Query struct {
	Before uint64 // only those with a smaller Index; 0 begins with the newest
	Limit  int    // at most so many
}

// listAnchors lists anchors in every state, newest first.
func listAnchors(r journal.Reader, q Query) ([]Anchor, error) {
	rg := journal.Range{Reverse: true}
	if q.Before > 0 {
		rg.To = rowKey(q.Before)
	}
	var list []Anchor
	err := anchors().Scan(r, rg, func(_ []byte, a Anchor) error {
		if len(list) >= q.Limit {
			return journal.Stop
		}
		list = append(list, a)
		return nil
	})
	return list, err
}

// Covering finds the anchors that prove the entry at the index best, all of them at one size: final ones before
// included ones, the size at which most ledgers have one, and of those the smallest. It is empty while no ledger has
// included any.
func Covering(r journal.Reader, index uint64) ([]Anchor, error) {
	candidates, err := firstCovering(r, index)
	if err != nil {
		return nil, err
	}
	for _, state := range []State{Final, Included} {
		var best []Anchor
		for _, c := range candidates {
			if c.State != state {
				continue
			}
			at, err := anchorsAt(r, c)
			if err != nil {
				return nil, err
			}
			if len(at) > len(best) || len(at) == len(best) && at[0].Size() < best[0].Size() {
				best = at
			}
		}
		if len(best) > 0 {
			return best, nil
		}
	}
	return nil, nil
}

// firstCovering finds, for each ledger and origin, the smallest final size that covers the index, or else the smallest
// included one.
func firstCovering(r journal.Reader, index uint64) ([]Anchor, error) {
	origins, err := ledgerOrigins(r)
	if err != nil {
		return nil, err
	}
	var found []Anchor
	for _, key := range origins {
		rg := journal.Prefix(key)
		rg.From = binary.BigEndian.AppendUint64(slices.Clone(key), index+1)
		var included *Anchor
		final := false
		err := anchors().ScanBy(r, byLive, rg, func(_, _ []byte, a Anchor) error {
			switch {
			case a.State == Final:
				found, final = append(found, a), true
				return journal.Stop
			case a.State == Included && included == nil:
				included = &a
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if !final && included != nil {
			found = append(found, *included)
		}
	}
	return found, nil
}

// anchorsAt finds the anchors of the same state and checkpoint as like on any ledger, one for each.
func anchorsAt(r journal.Reader, like Anchor) ([]Anchor, error) {
	origins, err := ledgerOrigins(r)
	if err != nil {
		return nil, err
	}
	var found []Anchor
	for _, key := range origins {
		rg := journal.Prefix(binary.BigEndian.AppendUint64(slices.Clone(key), like.Size()))
		err := anchors().ScanBy(r, byLive, rg, func(_, _ []byte, a Anchor) error {
			if a.State != like.State || a.Attempt.Checkpoint.Origin != like.Attempt.Checkpoint.Origin {
				return nil
			}
			found = append(found, a)
			return journal.Stop
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// ledgerOrigins finds the keys of all ledgers and origins that have an anchor, jumping from one to the next.
func ledgerOrigins(r journal.Reader) ([][]byte, error) {
	var keys [][]byte
	rg := journal.Range{}
	for {
		var next []byte
		err := anchors().ScanBy(r, byLive, rg, func(indexKey, _ []byte, _ Anchor) error {
			next = slices.Clone(indexKey[:len(indexKey)-8])
			return journal.Stop
		})
		if err != nil || next == nil {
			return keys, err
		}
		keys = append(keys, next)
		rg.From = journal.Prefix(next).To
	}
}
