package evidence

// Checkpoint is the head of a log that a signed checkpoint names (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   []byte // 32 bytes
}

// VerifyCheckpoint judges a signed checkpoint alone, as Verify judges the step signature of an evidence file. It serves
// a caller who compares a whole copy of a log with the checkpoints that were signed of it. It returns the zero
// Checkpoint for one that cannot be read.
func VerifyCheckpoint(p *Policy, signed string) (Checkpoint, State, string) {
	v := verifyingCheckpoint(p, signed)
	if v.headErr != nil {
		return Checkpoint{}, DoesNotHold, "the checkpoint cannot be read: " + v.headErr.Error()
	}
	state, why := v.signature()
	return Checkpoint{Origin: v.head.Origin, Size: v.head.Size, Root: v.head.Root[:]}, state, why
}

// VerifyAnchor judges a signed checkpoint and a ledger's proof that it has it, as Verify judges the steps signature and
// ledger. It returns the worse of the two states, and why.
func VerifyAnchor(p *Policy, signed string, a Anchor) (State, string) {
	_, signature, why := VerifyCheckpoint(p, signed)
	if signature == DoesNotHold {
		return signature, why
	}
	state, because := verifyingCheckpoint(p, signed).anchor(a)
	if state == Holds {
		return signature, why
	}
	return state, because
}

func verifyingCheckpoint(p *Policy, signed string) *verification {
	v := &verification{Input: Input{Policy: p}, file: &File{Checkpoint: signed}}
	v.head, v.headErr = parseCheckpoint(signed)
	return v
}
