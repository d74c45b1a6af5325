package approval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// ErrForged says that a row about a proposal, or one that an act of two people relies on, is not what the events say
// that it names: somebody has written to the database. It wraps journal.ErrDamaged.
var ErrForged = fmt.Errorf("a row that decides about an act of two people is not what its events say: %w",
	journal.ErrDamaged)

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

// Data is the data of an event about a proposal. It names the proposal, so that another's events prove nothing about it.
type Data interface{ Proposal() journal.ID }

// Stage is one event of a proposal, and what the user's reducer makes of it.
type Stage[R any] func(p *proof, row *R) error

// proof is a row on its way to be made anew.
type proof struct {
	prover *journal.Prover
	tenant string
	id     journal.ID
}

// On is the stage whose event is of a type, and at an index that the row names. An index of 0 stands for a stage that has
// not been. reduce is what the user's reducer does to the row.
func On[R any, D Data](t journal.Type[D], at uint64, reduce func(row *R, e journal.Entry, data D)) Stage[R] {
	return func(p *proof, row *R) error {
		if at == 0 {
			return nil
		}
		e, data, err := Event(p.prover, p.tenant, t, at)
		if err == nil && data.Proposal() != p.id {
			err = ErrForged
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
// Errors: ErrForged, upon which the alarm is raised (access.Contradicted).
func Prove[R any](j *journal.Journal, people *access.Authority, r journal.Reader, row Row[R], first Stage[R],
	more ...Stage[R]) error {
	prover, err := j.Prover(r)
	if err != nil {
		return err
	}
	p, zero, made := &proof{prover: prover, tenant: row.Tenant, id: row.ID}, *new(R), *new(R)
	if err = first(p, &made); err == nil && same(made, zero) {
		err = ErrForged
	}
	for _, stage := range more {
		if err == nil {
			err = stage(p, &made)
		}
	}
	if err == nil && !same(made, row.Value) {
		err = ErrForged
	}
	if errors.Is(err, ErrForged) {
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

// Event reads the event at an index that a row names, and proves it. ErrForged if none is there, or it is another
// tenant's or of another type.
func Event[D any](p *journal.Prover, tenant string, t journal.Type[D], at uint64) (e journal.Entry, data D, err error) {
	rec, err := p.Record(at)
	if errors.Is(err, journal.ErrNotFound) {
		err = ErrForged
	}
	if err != nil {
		return e, data, err
	}
	if rec.Type != string(t) || rec.Tenant != tenant {
		return e, data, ErrForged
	}
	if err := json.Unmarshal(rec.Data, &data); err != nil {
		return e, data, fmt.Errorf("reading the data of %s: %w", t, err)
	}
	return rec.Entry, data, nil
}
