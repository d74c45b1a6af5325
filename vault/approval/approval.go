// Package approval lets one person propose and others approve, each step on record; it lapses, waits and is superseded.
//
// It owns no events and no tables. A user has a Proposal in a row of its own, and event types of its own for the steps
// of it: what a step makes of a proposal is computed here, in decide, and copied from the event by the user's reducers.
// The row is not believed when it counts, but made anew from its events (Prove).
// A user whose proposals are about more than one thing compares what was approved, or a digest of it, with what it is
// about to do.
package approval

import (
	"errors"
	"time"
)

var (
	// ErrTrial says that the tenant is on trial, or being founded: no two people are there yet who could do it.
	ErrTrial = errors.New("the tenant is on trial, where nothing can be done that takes two people")
	// ErrOpen says that another proposal about the same is under way: neither done, nor lapsed.
	ErrOpen = errors.New("another proposal is under way")
	// ErrOver says that a proposal has lapsed, or that a later one has taken its place.
	ErrOver = errors.New("the proposal is not open any more")
	// ErrUnapproved says that a proposal was not approved yet, or that the approval has lapsed.
	ErrUnapproved = errors.New("nobody has approved it, or the approval has lapsed")
	// ErrOwnRequest says that one person would act in two roles: approve the own proposal, or carry out what they
	// approved.
	ErrOwnRequest = errors.New("this takes a second person")
	// ErrWaiting says that the waiting period of a proposal has not ended.
	ErrWaiting = errors.New("the waiting period has not ended")
)

// State is what has become of a proposal.
type State string

// The states. A proposal that has begun neither lapses nor is superseded: it ends as Done.
const (
	Proposed   State = "proposed"
	Approved   State = "approved"
	Begun      State = "begun"
	Done       State = "done"
	Lapsed     State = "lapsed"
	Superseded State = "superseded" // by a later proposal
	Declined   State = "declined"   // for users whose proposals somebody may decline
)

// Open says whether the proposal waits for its approval, or for its time.
func (s State) Open() bool { return s == Proposed || s == Approved }

// Terms are for how long what holds.
type Terms struct {
	Wait  time.Duration // from the proposal until it may begin at the earliest
	Lapse time.Duration // for which an approval holds, and a proposal stays open after its waiting period
}

// Proposal is what is on record about a proposal. Actors are those of the journal; times are zero for what has not
// happened. Users embed it in their rows: the names of its fields in JSON do not change.
type Proposal struct {
	Proposer  string    `json:"proposer"`
	Proposed  time.Time `json:"proposed"`
	NotBefore time.Time `json:"not_before"` // when the waiting period ends
	Lapses    time.Time `json:"lapses"`     // when the proposal does, unless it has begun
	Approver  string    `json:"approver,omitempty"`
	Approved  time.Time `json:"approved,omitzero"`
	Until     time.Time `json:"until,omitzero"` // when the approval lapses
	Begun     time.Time `json:"begun,omitzero"`
	Done      time.Time `json:"done,omitzero"`
}

// State is that of the proposal at a time. superseded says that a later one about the same was made since.
func (p Proposal) State(now time.Time, superseded bool) State {
	switch {
	case !p.Done.IsZero():
		return Done
	case !p.Begun.IsZero():
		return Begun
	case superseded:
		return Superseded
	case !now.Before(p.Lapses):
		return Lapsed
	case now.Before(p.Until):
		return Approved
	}
	return Proposed
}

// Propose is a new proposal.
func (t Terms) Propose(proposer string, now time.Time) Proposal {
	p := Proposal{Proposer: proposer, Proposed: now, NotBefore: now.Add(t.Wait)}
	p.Lapses = p.NotBefore.Add(t.Lapse)
	return p
}

// Approve is the proposal, whose state at now is given, as approved by somebody. It is returned as it was when it is
// approved already, or has gone further: then there is nothing to put on record.
//
// Errors: ErrOwnRequest for the proposer; ErrOver.
func (t Terms) Approve(p Proposal, state State, approver string, now time.Time) (Proposal, error) {
	switch {
	case p.Proposer == approver:
		return p, ErrOwnRequest
	case state == Superseded, state == Lapsed:
		return p, ErrOver
	case state != Proposed:
		return p, nil
	}
	p.Approver, p.Approved, p.Until = approver, now, now.Add(t.Lapse)
	return p, nil
}

// Begin is the proposal, whose state at now is given, as begun by somebody: the proposer may, the approver may not. A
// proposal that has begun already is returned as it was, whoever asks, so that an execution that broke off can be
// finished.
//
// Errors: ErrOver, ErrUnapproved, ErrOwnRequest, ErrWaiting.
func (p Proposal) Begin(state State, who string, now time.Time) (Proposal, error) {
	switch {
	case state == Begun, state == Done:
		return p, nil
	case !state.Open():
		return p, ErrOver
	case state != Approved:
		return p, ErrUnapproved
	case p.Approver == who:
		return p, ErrOwnRequest
	case now.Before(p.NotBefore):
		return p, ErrWaiting
	}
	p.Begun = now
	return p, nil
}
