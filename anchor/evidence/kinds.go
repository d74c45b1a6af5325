package evidence

import "encoding/json"

// kind is how this package judges the ledgers of one kind. A new kind is a file of its own (local.go shows one) and a
// line in kinds; nothing else here depends on a kind's name.
type kind struct {
	// checkPin refuses a pin that a policy cannot mean for the ledger of that id.
	checkPin func(id, pin string) error
	// checkProof says how the ledger has the head, as a clause for the report, or returns an error. An error that wraps
	// ErrNewer says that the proof cannot be told; any other says that it does not hold.
	checkProof func(proof json.RawMessage, pin string, want head) (why string, err error)
	// caveat is the claim about the ledger that its proofs do not cover: the report lists it as asserted. It is empty
	// where there is none.
	caveat func(id string) string
}

// kinds is the table of the kinds of ledgers that this program can judge, by the name that policies and anchors use.
var kinds = map[string]kind{
	kindLocal: {checkPin: checkLocalPin, checkProof: checkLocalProof, caveat: localCaveat},
}
