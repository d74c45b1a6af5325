package approval_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muniment/vault/approval"
)

// model is the story of one proposal, kept by other means than the machine's: as what happened when.
type model struct {
	proposer   string
	proposed   time.Time
	approvals  []step // all of them: one that has lapsed can be followed by another
	begun      *step
	done       bool
	superseded bool
}

type step struct {
	who string
	at  time.Time
}

// approved says whether an approval holds at a time.
func (m *model) approved(now time.Time, terms approval.Terms) bool {
	n := len(m.approvals)
	return n > 0 && now.Before(m.approvals[n-1].at.Add(terms.Lapse))
}

// lapsed says whether the proposal was open for too long.
func (m *model) lapsed(now time.Time, terms approval.Terms) bool {
	return !now.Before(m.proposed.Add(terms.Wait).Add(terms.Lapse))
}

func (m *model) state(now time.Time, terms approval.Terms) approval.State {
	switch {
	case m.done:
		return approval.Done
	case m.begun != nil:
		return approval.Begun
	case m.superseded:
		return approval.Superseded
	case m.lapsed(now, terms):
		return approval.Lapsed
	case m.approved(now, terms):
		return approval.Approved
	}
	return approval.Proposed
}

// TestStates: whatever people do in whatever order, the machine agrees with the model, and no proposal is approved by
// its proposer, or begun by its approver, unapproved, before its waiting period has ended, after it has lapsed, or
// after another has taken its place.
func TestStates(t *testing.T) {
	t.Parallel()
	people := rapid.SampledFrom([]string{"ann", "bob", "eve"})
	rapid.Check(t, func(t *rapid.T) {
		terms := approval.Terms{
			Wait:  time.Duration(rapid.IntRange(0, 30).Draw(t, "wait")) * time.Hour,
			Lapse: time.Duration(rapid.IntRange(1, 30).Draw(t, "lapse")) * time.Hour,
		}
		now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
		var machines []approval.Proposal
		var models []*model
		pick := func(t *rapid.T) int {
			if len(machines) == 0 {
				t.Skip("nothing is proposed")
			}
			return rapid.IntRange(0, len(machines)-1).Draw(t, "proposal")
		}
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "hours")) * time.Hour)
			},
			"propose": func(t *rapid.T) {
				who := people.Draw(t, "proposer")
				if n := len(models); n > 0 && models[n-1].begun == nil {
					models[n-1].superseded = true
				}
				machines = append(machines, terms.Propose(who, now))
				models = append(models, &model{proposer: who, proposed: now})
			},
			"approve": func(t *rapid.T) {
				i, who := pick(t), people.Draw(t, "approver")
				m := models[i]
				state := m.state(now, terms)
				after, err := terms.Approve(machines[i], state, who, now)
				want := error(nil)
				switch {
				case who == m.proposer:
					want = approval.ErrOwnRequest
				case state == approval.Superseded || state == approval.Lapsed:
					want = approval.ErrOver
				case state == approval.Proposed:
					m.approvals = append(m.approvals, step{who, now})
				}
				check(t, "approving", err, want, machines[i], after)
				machines[i] = after
			},
			"begin": func(t *rapid.T) {
				i, who := pick(t), people.Draw(t, "executor")
				m := models[i]
				after, err := machines[i].Begin(m.state(now, terms), who, now)
				want := error(nil)
				switch {
				case m.begun != nil:
				case m.superseded, m.lapsed(now, terms):
					want = approval.ErrOver
				case !m.approved(now, terms):
					want = approval.ErrUnapproved
				case m.approvals[len(m.approvals)-1].who == who:
					want = approval.ErrOwnRequest
				case now.Before(m.proposed.Add(terms.Wait)):
					want = approval.ErrWaiting
				default:
					m.begun = &step{who, now}
				}
				check(t, "beginning", err, want, machines[i], after)
				machines[i] = after
			},
			"finish": func(t *rapid.T) {
				if i := pick(t); models[i].begun != nil && !models[i].done {
					machines[i].Done, models[i].done = now, true
				}
			},
			"": func(t *rapid.T) {
				for i, m := range models {
					p := machines[i]
					if got, want := p.State(now, m.superseded), m.state(now, terms); got != want {
						t.Fatalf("proposal %d is %s, want %s: %+v", i, got, want, p)
					}
					if p.Approver == p.Proposer {
						t.Fatalf("proposal %d was approved by its proposer: %+v", i, p)
					}
					if p.Begun.IsZero() {
						continue
					}
					if m.begun == nil || m.begun.who == p.Approver || p.Approver == "" || p.Begun.Before(p.NotBefore) ||
						!p.Begun.Before(p.Until) || !p.Begun.Before(p.Lapses) {
						t.Fatalf("proposal %d has begun: %+v", i, p)
					}
				}
			},
		})
	})
}

// check fails unless a step had the error wanted, and left the proposal alone if it had one.
func check(t *rapid.T, what string, err, want error, before, after approval.Proposal) {
	if !errors.Is(err, want) || err != nil && before != after {
		t.Fatalf("%s: %v, want %v; from %+v to %+v", what, err, want, before, after)
	}
}
