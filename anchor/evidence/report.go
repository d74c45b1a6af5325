package evidence

import "time"

// State is what can be said of one step.
type State string

// The states of a step.
const (
	Holds       State = "holds"
	DoesNotHold State = "does not hold"
	Unknown     State = "cannot tell"
	NotAsked    State = "not asked"
)

// Verdict is what can be said of the whole.
type Verdict string

// The verdicts.
const (
	Verified     Verdict = "verified"
	DoesNotMatch Verdict = "does not match"
	CannotTell   Verdict = "cannot tell"
)

// ExitCode is the verdict as an exit status: 0 verified, 1 does not match, 2 cannot tell. (3 is for wrong usage.)
func (v Verdict) ExitCode() int {
	switch v {
	case Verified:
		return 0
	case DoesNotMatch:
		return 1
	}
	return 2
}

// Step is one step from the document to the ledger.
type Step struct {
	Name  string `json:"step"`
	State State  `json:"state"`
	Why   string `json:"why"` // one clause
}

// Event is one body of the story, as it stands in the log.
type Event struct {
	Index uint64    `json:"index"`
	At    time.Time `json:"at"` // by the journal's clock
	Type  string    `json:"type"`
	Actor string    `json:"actor"`
}

// Anchored is what can be said of one anchor.
type Anchored struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	State State  `json:"state"`
	Why   string `json:"why"`
}

// Report is what Verify has found.
type Report struct {
	Verdict  Verdict    `json:"verdict"`
	Summary  string     `json:"summary"` // the verdict in words
	Document string     `json:"document,omitempty"`
	Steps    []Step     `json:"steps"`
	Story    []Event    `json:"story"`    // what the bodies say; empty unless body and leaf hold
	Anchors  []Anchored `json:"anchors"`  // one for each of the file's
	Asserted []string   `json:"asserted"` // what the journal says and one file cannot prove
}
