package evidence

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Input is what Verify judges, and by what.
type Input struct {
	Evidence []byte  // an evidence file, as it was received
	Digest   []byte  // the SHA-256 of the document at hand (see the function Digest); nil if there is none
	Policy   *Policy // what the auditor trusts; nil if there is none, and the best verdict is then CannotTell
}

// Verify judges an evidence file. It never fails: a file that cannot be read does not match, and a format or ledger
// that this version does not know cannot be told. It asks no network and no clock, so the same input always gives the
// same report.
func Verify(in Input) Report {
	f, err := Parse(in.Evidence)
	if err != nil {
		state := stateOf(err)
		return conclude(Report{
			Steps: []Step{{Name: "file", State: state, Why: err.Error()}},
			Story: []Event{}, Anchors: []Anchored{}, Asserted: []string{},
		}, in)
	}
	v := &verification{Input: in, file: f}
	v.bodies, v.bodiesErr = story(f)
	v.head, v.headErr = parseCheckpoint(f.Checkpoint)
	r := Report{Document: f.Document, Story: []Event{}, Asserted: []string{}}
	for _, step := range []struct {
		name  string
		check func() (State, string)
	}{
		{"document", v.document}, {"commitment", v.commitment}, {"body", v.body}, {"leaf", v.leaf}, {"log", v.log},
		{"signature", v.signature}, {"ledger", v.ledger},
	} {
		state, why := step.check()
		r.Steps = append(r.Steps, Step{Name: step.name, State: state, Why: why})
	}
	r.Anchors = append([]Anchored{}, v.anchors...)
	if r.state("body") == Holds && r.state("leaf") == Holds {
		for i, b := range v.bodies {
			r.Story = append(r.Story, Event{Index: f.Bodies[i].Index, At: b.At, Type: b.Type, Actor: b.Actor})
		}
		r.Asserted = v.asserted()
	}
	return conclude(r, in)
}

// verification is one run of Verify.
type verification struct {
	Input
	file      *File
	bodies    []body
	bodiesErr error
	head      head
	headErr   error
	anchors   []Anchored
}

func (v *verification) document() (State, string) {
	switch d := v.file.Disclosure; {
	case v.Digest == nil:
		return NotAsked, "no document was given, so nothing is said about any file"
	case d == nil:
		return Unknown, "the evidence discloses no digest to compare the document with"
	case hex.EncodeToString(v.Digest) != d.Digest:
		return DoesNotHold, "the document's SHA-256 is not the one disclosed"
	default:
		return Holds, "the document's SHA-256 is the one disclosed, " + d.Digest
	}
}

func (v *verification) commitment() (State, string) {
	d := v.file.Disclosure
	switch {
	case d == nil && v.Digest == nil:
		return NotAsked, "the evidence discloses no digest"
	case d == nil:
		return Unknown, "the evidence discloses no salt"
	case v.bodiesErr != nil:
		return Unknown, "the deposit's body could not be read"
	}
	digest, err := hex.DecodeString(d.Digest)
	if err != nil || !hmac.Equal(Commitment(d.Salt, digest), v.bodies[0].Commitment) {
		return DoesNotHold, "digest and salt do not give the commitment in the deposit's body"
	}
	return Holds, "digest and salt give the commitment in the deposit's body"
}

func (v *verification) body() (State, string) {
	if v.bodiesErr != nil {
		return stateOf(v.bodiesErr), v.bodiesErr.Error()
	}
	if n := len(v.bodies); n > 1 {
		return Holds, fmt.Sprintf("%d bodies are about document %s, the first is its deposit", n, v.file.Document)
	}
	return Holds, "the body is the deposit of document " + v.file.Document
}

func (v *verification) leaf() (State, string) {
	if v.headErr != nil {
		return Unknown, "there is no readable checkpoint to prove it against"
	}
	for _, l := range v.file.Bodies {
		if l.Index >= v.head.Size {
			return DoesNotHold, fmt.Sprintf("index %d is beyond the checkpoint's %d leaves", l.Index, v.head.Size)
		}
		proof := make(tlog.RecordProof, len(l.Proof))
		for i, h := range l.Proof {
			proof[i] = tlog.Hash(h)
		}
		entry := LeafEntry(l.Nonce, []byte(l.Body))
		err := tlog.CheckRecord(proof, int64(v.head.Size), tlog.Hash(v.head.Root), int64(l.Index),
			tlog.RecordHash(entry[:]))
		if err != nil {
			return DoesNotHold, fmt.Sprintf("the body is not what the log holds at index %d: the inclusion proof fails",
				l.Index)
		}
	}
	if n := len(v.file.Bodies); n > 1 {
		return Holds, fmt.Sprintf("%d bodies are the leaves of their indexes, %d to %d", n, v.file.Bodies[0].Index,
			v.file.Bodies[n-1].Index)
	}
	return Holds, fmt.Sprintf("the body is leaf %d", v.file.Bodies[0].Index)
}

func (v *verification) log() (State, string) {
	if v.headErr != nil {
		return DoesNotHold, "the checkpoint cannot be read: " + v.headErr.Error()
	}
	if v.head.Origin != v.file.Origin {
		return DoesNotHold, "the checkpoint is another log's than the evidence names"
	}
	return Holds, fmt.Sprintf("the checkpoint is the head of %s at %d leaves", v.head.Origin, v.head.Size)
}

func (v *verification) signature() (State, string) {
	switch {
	case v.headErr != nil:
		return Unknown, "there is no readable checkpoint"
	case v.Policy == nil:
		return Unknown, "no policy says whose signature to trust"
	}
	trusted := v.Policy.origin(v.head.Origin)
	if trusted == nil {
		return Unknown, "the policy names no key for this log"
	}
	if err := checkSignature(v.file.Checkpoint, trusted.Keys); err != nil {
		return DoesNotHold, "the checkpoint: " + err.Error()
	}
	if trusted.Until != nil && v.head.Size > *trusted.Until {
		return Unknown, fmt.Sprintf("the policy says that this log ended at %d leaves: what was signed above was "+
			"lost, "+
			"and this checkpoint is at %d", *trusted.Until, v.head.Size)
	}
	return Holds, "a key that the policy trusts for this log has signed the checkpoint"
}

func (v *verification) ledger() (State, string) {
	held, failed := 0, ""
	for _, a := range v.file.Anchors {
		state, why := v.anchor(a)
		v.anchors = append(v.anchors, Anchored{Kind: a.Kind, ID: a.ID, State: state, Why: why})
		switch {
		case state == Holds:
			held++
		case state == DoesNotHold && failed == "":
			failed = fmt.Sprintf("%s ledger %s: %s", a.Kind, a.ID, why)
		}
	}
	switch {
	case failed != "":
		// Even if enough others hold: an anchor that contradicts the file is a sign of tampering, never surplus.
		return DoesNotHold, failed
	case len(v.file.Anchors) == 0:
		return Unknown, "the checkpoint is not anchored yet: ask for the evidence again later"
	case v.headErr != nil:
		return Unknown, "there is no readable checkpoint"
	case v.Policy == nil:
		return Unknown, "no policy says which ledgers to trust"
	case held < v.Policy.Require:
		return Unknown, fmt.Sprintf("the policy requires %d of its ledgers, and %d could be checked",
			v.Policy.Require, held)
	}
	return Holds, fmt.Sprintf("%d of the policy's ledgers, of %d required, have this checkpoint",
		held, v.Policy.Require)
}

// anchor judges one anchor.
func (v *verification) anchor(a Anchor) (State, string) {
	switch {
	case v.headErr != nil:
		return Unknown, "there is no readable checkpoint"
	case v.Policy == nil:
		return Unknown, "there is no policy"
	}
	pin, ok := v.Policy.pin(a.Kind, a.ID)
	if !ok {
		return Unknown, "ignored: the policy does not list this ledger"
	}
	k, known := kinds[a.Kind]
	if !known {
		return Unknown, "this version cannot check ledgers of this kind"
	}
	why, err := k.checkProof(a.Proof, pin, v.head)
	if err != nil {
		return stateOf(err), err.Error()
	}
	return Holds, why
}

// asserted lists the claims of the journal that this file does not prove.
func (v *verification) asserted() []string {
	last := v.file.Bodies[len(v.file.Bodies)-1].Index
	out := []string{
		fmt.Sprintf("that nothing else was recorded about the document after index %d: "+
			"a file shows only the bodies it was given", last),
		"that no hold stood when an act took place: holds that name no document leave no body in its story",
		"the times in the bodies, which are the journal's own; a ledger's time is the latest they can be",
		"who the actors are: the bodies hold ids only",
	}
	for i, b := range v.bodies {
		if i > 0 && *b.Prev != v.file.Bodies[i-1].Index {
			out = append(out, fmt.Sprintf("what happened to the document between indexes %d and %d: "+
				"the log has bodies there that this file leaves out", v.file.Bodies[i-1].Index, v.file.Bodies[i].Index))
		}
	}
	for _, a := range v.anchors {
		if a.State != Holds {
			continue
		}
		if caveat := kinds[a.Kind].caveat(a.ID); caveat != "" {
			out = append(out, caveat)
		}
	}
	return out
}

// stateOf tells an error of the file from a format that is only too new for this program.
func stateOf(err error) State {
	if errors.Is(err, ErrNewer) {
		return Unknown
	}
	return DoesNotHold
}

func (r Report) state(name string) State {
	for _, s := range r.Steps {
		if s.Name == name {
			return s.State
		}
	}
	return NotAsked
}

// conclude derives the verdict from the steps and puts it in words.
func conclude(r Report, in Input) Report {
	first := map[State]string{}
	for _, s := range r.Steps {
		if first[s.State] == "" {
			first[s.State] = s.Name
		}
	}
	switch {
	case first[DoesNotHold] != "":
		r.Verdict = DoesNotMatch
		r.Summary = "Does not match: the step " + first[DoesNotHold] + " does not hold."
	case first[Unknown] != "":
		r.Verdict = CannotTell
		r.Summary = "Cannot tell: nothing contradicts, but the step " + first[Unknown] + " cannot be told."
	case in.Digest == nil:
		r.Verdict = Verified
		r.Summary = "Verified: the record is in the log and anchored. " +
			"No document was given, so nothing is said about any file."
	default:
		r.Verdict = Verified
		r.Summary = "Verified: this is the document that was deposited, and its record is in the log and anchored."
	}
	for _, e := range r.Story {
		if r.Verdict == Verified && (e.Type == typeErased || e.Type == typeDestroyed) {
			r.Summary += fmt.Sprintf(" The record at index %d says that it was destroyed.", e.Index)
		}
	}
	return r
}
