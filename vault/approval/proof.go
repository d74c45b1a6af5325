package approval

import (
	"bytes"
	"encoding/json"
	"errors"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// Row is a user's row about a proposal, as a table has it. The table says nothing by itself: whoever can write to the
// database can write there that a proposal was approved, or long ago. So the row names its events, by their indexes in
// the log, and Prove makes it anew from them.
type Row[R any] struct {
	Table  journal.Table
	Key    []byte
	Tenant string
	ID     journal.ID // of the proposal
	Value  R
}

// Data is the data of an event about a proposal. It names the proposal, so that another's events prove nothing about
// it.
type Data interface{ Proposal() journal.ID }

// Stage is one event of a proposal, and what the user's reducer makes of it.
type Stage[R any] func(p *proof, row *R) error

// proof is a row on its way to be made anew.
type proof struct {
	prover *journal.Prover
	tenant string
	id     journal.ID
}

// On is the stage whose event is of a type, and at an index that the row names. An index of 0 stands for a stage that
// has not been. reduce is what the user's reducer does to the row.
func On[R any, D Data](t journal.Type[D], at uint64, reduce func(row *R, e journal.Entry, data D)) Stage[R] {
	return func(p *proof, row *R) error {
		if at == 0 {
			return nil
		}
		e, data, err := access.EventAt(p.prover, p.tenant, t, at)
		if err == nil && data.Proposal() != p.id {
			err = access.ErrForged
		}
		if err == nil {
			reduce(row, e, data)
		}
		return err
	}
}

// Prove makes a row anew from the events that it names, each of which is proved against the journal's authentic head,
// and compares it with what the table has. The first stage is the proposal itself, which no row can be without. It is
// asked in every decide about the proposal, and before an act that cannot be undone.
//
// Errors: access.ErrForged, upon which the alarm is raised (access.Contradicted).
func Prove[R any](j *journal.Journal, people *access.Authority, r journal.Reader, row Row[R], first Stage[R],
	more ...Stage[R]) error {
	prover, err := j.Prover(r)
	if err != nil {
		return err
	}
	p, zero, made := &proof{prover: prover, tenant: row.Tenant, id: row.ID}, *new(R), *new(R)
	if err = first(p, &made); err == nil && same(made, zero) {
		err = access.ErrForged
	}
	for _, stage := range more {
		if err == nil {
			err = stage(p, &made)
		}
	}
	if err == nil && !same(made, row.Value) {
		err = access.ErrForged
	}
	if errors.Is(err, access.ErrForged) {
		people.Contradict(row.Table, row.Key)
	}
	return err
}

// same says whether two rows are stored as the same bytes.
func same[R any](a, b R) bool {
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(one, other)
}
