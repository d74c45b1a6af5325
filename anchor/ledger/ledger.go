// Package ledger is the contract for the places that the journal's head is anchored to: that others can read and we
// cannot rewrite. A conformance suite, package ledgertest, runs over every implementation.
//
// One attempt moves through these states; the publisher in package anchor records each as an event:
//
//	Prepare → (persisted) → Submit → Pending → Included → Final
//	                                    ↑          │ reorg
//	                                    ├──────────┤
//	                                    ↓          ↓
//	                              Superseded     Lost
package ledger

import (
	"context"
	"encoding/json"
	"errors"
)

const (
	// MaxState is the largest Attempt.State in bytes: it must fit into the body of an event beside the checkpoint.
	MaxState = 32 << 10
	// MaxProof is the largest answer of Prove in bytes, for the same reason.
	MaxProof = 32 << 10
)

var (
	// ErrUnavailable says that the ledger cannot be reached now, or did not answer in time. The request may have taken
	// effect. A retry may help.
	ErrUnavailable = errors.New("the ledger is not available")
	// ErrRefused says that the ledger refuses the checkpoint: it is smaller than, or contradicts, one it already has. A
	// retry does not help.
	ErrRefused = errors.New("the ledger refuses the checkpoint")
	// ErrUnknown says that the ledger has never seen what it was asked about.
	ErrUnknown = errors.New("not known to the ledger")
)

// Checkpoint is a head of the journal.
type Checkpoint struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"` // leaves; never 0
	Root   []byte `json:"root"` // 32 bytes, RFC 6962
	Note   []byte `json:"note"` // the signed note (C2SP tlog-checkpoint), as published
}

// Attempt is a signed but perhaps not yet sent step towards anchoring one checkpoint. It is persisted by an event
// before it is submitted, so State holds all that Submit, Status and Prove need, and nothing secret. It survives a
// round trip through JSON, and any handle on the same ledger, in any process, can go on with it.
type Attempt struct {
	ID         string          `json:"id"` // of the transaction or block on the ledger
	Checkpoint Checkpoint      `json:"checkpoint"`
	State      json.RawMessage `json:"state"` // the ledger's own; at most MaxState
}

// Status is how far an attempt has come.
type Status string

// The states of an attempt.
const (
	Pending    Status = "pending"    // submitted, or never seen: submit again
	Included   Status = "included"   // in a block that may yet go away
	Final      Status = "final"      // in a block that will not go away; the last state
	Lost       Status = "lost"       // was included, is not any more; or can never be: prepare anew
	Superseded Status = "superseded" // another attempt of ours took its place
)

// Ledger is a place that others can read and we cannot rewrite. Its methods may be called concurrently, except that one
// caller at a time prepares and submits. Every method returns soon after ctx ends, and an error that wraps
// ErrUnavailable when the ledger cannot be reached; the ledger does not retry by itself. Errors carry no credentials.
type Ledger interface {
	// Kind is the ledger's kind as policies name it: "local", "evm", … It never changes.
	Kind() string
	// ID names this ledger among those of its kind, in printable ASCII without spaces. It never changes.
	ID() string
	// Prepare makes an attempt, signed and not sent: it changes nothing on the ledger, and an attempt that is forgotten
	// afterwards hinders no later one. open are the attempts of ours that are neither final nor lost, oldest first; an
	// implementation may return one of them again, or make the new attempt take the place of one. It returns ErrRefused
	// when the ledger already holds, for good, a larger size of this origin or the same size with another root. Where
	// it holds the very same checkpoint, it returns an attempt that is or becomes final.
	Prepare(ctx context.Context, c Checkpoint, open []Attempt) (Attempt, error)
	// Submit sends the attempt. It is idempotent: sending it again, even after it was included, is no error and changes
	// nothing. An attempt that can never be included may be refused with ErrRefused; its Status then says Lost or
	// Superseded.
	Submit(ctx context.Context, a Attempt) error
	// Status says how far the attempt has come. An attempt that the ledger has never seen is Pending as long as it
	// could still be included.
	Status(ctx context.Context, a Attempt) (Status, error)
	// Prove returns what a verifier needs for an included or final attempt, at most MaxProof, offline where it can be.
	// For a final attempt it may be called at any later time. ErrUnknown when the attempt is in no block.
	Prove(ctx context.Context, a Attempt) (json.RawMessage, error)
	// Head is the newest checkpoint of this origin that the ledger has (Note may be empty), final or not; ErrUnknown
	// when it has none.
	Head(ctx context.Context, origin string) (Checkpoint, error)
}

// Rebuilder is a Ledger whose own storage can be lost and rebuilt from the final attempts that the journal has on
// record.
type Rebuilder interface {
	Ledger
	// Rebuild puts one final attempt back. It is called for all of them, oldest first, when Head is behind the last of
	// them; one that is there already is no error. It never replaces anything.
	Rebuild(ctx context.Context, a Attempt) error
}
