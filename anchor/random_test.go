package anchor_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/ledger"
	"muniment/anchor/ledger/ledgertest"
)

// machine is a journal, one ledger, and two gateways that anchor the one to the other.
type machine struct {
	*kit
	clock    *journaltest.Clock
	fake     *ledgertest.Fake
	gateways []*anchor.Publisher
}

// turnOf lets a gateway take a turn; only an unavailable ledger may make it fail.
func (m *machine) turnOf(i int) {
	if _, err := m.gateways[i].Turn(m.ctx); err != nil && !errors.Is(err, ledger.ErrUnavailable) {
		m.Fatalf("taking a turn: %v", err)
	}
}

// restart ends a gateway's life and begins another on what is on record.
func (m *machine) restart(i int) { m.gateways[i] = m.publisher(m.fake.Handle()) }

// TestRandomHistories walks random histories of a ledger that goes down, reorganizes and forgets, under gateways that
// crash.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		clock := journaltest.NewClock()
		m := &machine{kit: newKit(context.Background(), r, clock), clock: clock}
		defer func() { m.journal.Close() }()
		m.fake = m.kit.fake("one")
		m.gateways = make([]*anchor.Publisher, 2)
		m.restart(0)
		m.restart(1)
		gateway := rapid.IntRange(0, 1)
		r.Repeat(map[string]func(*rapid.T){
			"news":  func(*rapid.T) { m.commit(newsEvent) },
			"quiet": func(*rapid.T) { m.commit(quietEvent) },
			"time": func(r *rapid.T) {
				clock.Advance(rapid.SampledFrom([]time.Duration{interval, 5 * interval}).Draw(r, "time"))
			},
			"include": func(*rapid.T) { m.fake.Include() },
			"final":   func(*rapid.T) { m.fake.Finalize() },
			"reorg":   func(r *rapid.T) { m.fake.Reorg(rapid.Bool().Draw(r, "requeue")) },
			"drop":    func(*rapid.T) { m.fake.Drop() },
			"forget":  func(*rapid.T) { m.fake.Forget() },
			"down":    func(r *rapid.T) { m.fake.Down(rapid.Bool().Draw(r, "down")) },
			"break":   func(r *rapid.T) { m.fake.Break(rapid.Bool().Draw(r, "late")) },
			"crash":   func(r *rapid.T) { m.restart(gateway.Draw(r, "gateway")) },
			"reboot": func(*rapid.T) {
				if err := m.journal.Close(); err != nil {
					m.Fatalf("closing the journal: %v", err)
				}
				m.open()
				m.restart(0)
				m.restart(1)
			},
			"turn": func(r *rapid.T) { m.turnOf(gateway.Draw(r, "gateway")) },
			"now": func(r *rapid.T) {
				_, err := m.gateways[gateway.Draw(r, "gateway")].Now(m.ctx,
					journal.Actor{Tenant: "default", ID: "auditor"})
				if err != nil && !errors.Is(err, ledger.ErrUnavailable) {
					m.Fatalf("anchoring at once: %v", err)
				}
			},
			"": func(*rapid.T) {
				m.checkSteps()
				m.checkFinals()
			},
		})
		m.settle()
		m.checkSteps()
		m.checkFinals()
	})
}

// checkFinals says that nothing is anchored again that is final.
func (m *machine) checkFinals() {
	m.Helper()
	before := uint64(0)
	for _, c := range m.fake.Finals() {
		if c.Size <= before {
			m.Fatalf("size %d became final after size %d", c.Size, before)
		}
		before = c.Size
	}
}

// checkSteps replays the steps on record: each leads from the state before, no anchor was begun at a size that another
// one has which is not lost, and all lead to the projection.
func (m *machine) checkSteps() {
	m.Helper()
	states, sizes := map[uint64]anchor.State{}, map[uint64]uint64{}
	records, err := m.journal.Records(m.ctx, journal.System, 0, 1<<20)
	if err != nil {
		m.Fatalf("reading the steps: %v", err)
	}
	for _, rec := range records {
		var d struct {
			Anchor  uint64         `json:"anchor"`
			Attempt ledger.Attempt `json:"attempt"`
		}
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			m.Fatalf("reading a step: %v", err)
		}
		from := states[d.Anchor]
		ok := true
		switch rec.Type {
		case "anchor.prepared/1":
			for i, size := range sizes {
				if states[i] != anchor.Lost && size >= d.Attempt.Checkpoint.Size {
					m.Fatalf("size %d was prepared while %d was %s", d.Attempt.Checkpoint.Size, size, states[i])
				}
			}
			states[rec.Index], sizes[rec.Index] = anchor.Prepared, d.Attempt.Checkpoint.Size
		case "anchor.submitted/1":
			ok = from == anchor.Prepared || from == anchor.Included
			states[d.Anchor] = anchor.Submitted
		case "anchor.included/1":
			ok = from == anchor.Prepared || from == anchor.Submitted
			states[d.Anchor] = anchor.Included
		case "anchor.final/1", "anchor.lost/1":
			ok = from == anchor.Prepared || from == anchor.Submitted || from == anchor.Included
			states[d.Anchor] = anchor.Final
			if rec.Type == "anchor.lost/1" {
				states[d.Anchor] = anchor.Lost
			}
		}
		if !ok {
			m.Fatalf("%s follows %s", rec.Type, from)
		}
	}
	list := m.anchors()
	if len(list) != len(states) {
		m.Fatalf("%d anchors are listed, and %d were begun", len(list), len(states))
	}
	for _, a := range list {
		if a.State != states[a.Index] || a.Size() != sizes[a.Index] || (a.Proof != nil) != (a.State == anchor.Final) {
			m.Fatalf("the anchor %d is listed as %s at %d with the proof %s, want %s at %d",
				a.Index, a.State, a.Size(), a.Proof,
				states[a.Index], sizes[a.Index])
		}
	}
}

// settle mends the ledger and lets both gateways work: the newest head must become final, and then nothing more happen.
func (m *machine) settle() {
	m.Helper()
	m.fake.Down(false)
	round := func() {
		for i := range m.gateways {
			m.turnOf(i)
		}
		m.fake.Finalize()
		m.fake.Include()
		m.clock.Advance(interval)
	}
	for range 100 {
		if round(); m.gateways[0].Status()[0].Anchored >= m.journal.LastNews() {
			break
		}
	}
	if status := m.gateways[0].Status()[0]; status.Behind != 0 {
		m.Fatalf("the newest head was lost: %+v", status)
	}
	if len(m.covering(m.journal.LastNews()-1)) != 1 {
		m.Fatalf("the last news is not covered by one anchor")
	}
	before := m.fake.Prepared()
	for range 5 {
		round()
	}
	if m.fake.Prepared() != before {
		m.Fatalf("an idle journal was anchored again")
	}
	if open := m.gateways[0].Status()[0].Open; open != 0 {
		m.Fatalf("%d anchors never ended", open)
	}
}
