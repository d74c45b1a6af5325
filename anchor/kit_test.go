package anchor_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/anchor/ledger"
	"muniment/anchor/ledger/ledgertest"
)

const (
	newsEvent  journal.Type[struct{}] = "test.news/1"
	quietEvent journal.Type[struct{}] = "test.quiet/1"

	interval = time.Minute
	poll     = 5 * time.Second
)

func nothing(*journal.Writer, journal.Entry, struct{}) error { return nil }

// fataler is a testing.T or a rapid.T.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// durable is a backend that outlives the journals opened on it.
type durable struct{ journal.Backend }

func (durable) Close() error { return nil }

// kit is a journal whose time stands still, and what it stands on.
type kit struct {
	fataler
	ctx     context.Context
	backend journal.Backend
	bucket  *journaltest.Bucket
	clock   journal.Clock
	log     *slog.Logger
	journal *journal.Journal
}

func newKit(ctx context.Context, t fataler, clock journal.Clock) *kit {
	k := &kit{fataler: t, ctx: ctx, backend: durable{memory.New(memory.Config{})}, bucket: journaltest.NewBucket(t),
		clock: clock,
		log:   slog.New(slog.NewTextHandler(io.Discard, nil))}
	k.open()
	return k
}

func (k *kit) open() {
	k.Helper()
	j, err := journal.Open(k.ctx, journal.Config{
		Backend: k.backend, Bucket: k.bucket, Signer: journaltest.Signer(), Clock: k.clock, Rand: journaltest.Rand(1),
		Log:         k.log,
		Definitions: append(anchor.Definitions(), newsEvent.On(nothing), quietEvent.On(nothing).Quiet()),
		Origin:      "muniment/test", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	if err != nil {
		k.Fatalf("opening the journal: %v", err)
	}
	k.journal = j
}

// door lets everybody in, unless it refuses them all, which it puts on record.
type door struct {
	*journal.Journal
	refuses error
}

func (d door) Act(ctx context.Context, actor journal.Actor,
	decide func(journal.View) (journal.Change, error)) (journal.Receipt, error) {
	if err := d.Permit(ctx, actor); err != nil {
		return journal.Receipt{}, err
	}
	return d.Commit(ctx, actor, decide)
}

func (d door) Permit(ctx context.Context, actor journal.Actor) error {
	if d.refuses == nil {
		return nil
	}
	_, err := d.Commit(ctx, actor, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{quietEvent.New(journal.ID{}, struct{}{})}}, d.refuses
	})
	return err
}

func (k *kit) publisher(ledgers ...ledger.Ledger) *anchor.Publisher {
	k.Helper()
	p, err := anchor.New(anchor.Config{Journal: k.journal, Ledgers: ledgers, Interval: interval, Poll: poll,
		Clock: k.clock,
		Rand:  journaltest.Rand(2), Log: k.log, Ask: door{Journal: k.journal}, Show: door{Journal: k.journal}})
	if err != nil {
		k.Fatalf("making a publisher: %v", err)
	}
	return p
}

// commit writes one event, waits for its release, and returns the size of the journal just after it.
func (k *kit) commit(event journal.Type[struct{}]) uint64 {
	k.Helper()
	receipt, err := k.journal.Commit(k.ctx, journal.Actor{Tenant: "default", ID: "tester"},
		func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{event.New(journal.ID{}, struct{}{})}}, nil
		})
	if err == nil {
		receipt, err = k.journal.Released(k.ctx, receipt)
	}
	if err != nil {
		k.Fatalf("committing: %v", err)
	}
	return receipt.Index + 1
}

func (k *kit) anchors() (list []anchor.Anchor) {
	k.Helper()
	err := k.journal.View(k.ctx, func(r journal.Reader) (err error) {
		list, err = anchor.ListAnchors(r, anchor.Query{Limit: 10000})
		return err
	})
	if err != nil {
		k.Fatalf("listing the anchors: %v", err)
	}
	return list
}

// states are those of all anchors, oldest first.
func (k *kit) states() []anchor.State {
	k.Helper()
	list := k.anchors()
	states := make([]anchor.State, len(list))
	for i, a := range list {
		states[len(list)-1-i] = a.State
	}
	return states
}

func (k *kit) covering(index uint64) (list []anchor.Anchor) {
	k.Helper()
	err := k.journal.View(k.ctx, func(r journal.Reader) (err error) {
		list, err = anchor.Covering(r, index)
		return err
	})
	if err != nil {
		k.Fatalf("looking for anchors: %v", err)
	}
	return list
}

// fake is a ledger that wants every attempt persisted before it is submitted.
func (k *kit) fake(id string) *ledgertest.Fake {
	f := ledgertest.NewFake(k, "fake", id)
	f.Persisted(func(a ledger.Attempt) bool {
		for _, known := range k.anchors() {
			if known.ID == id && known.Attempt.ID == a.ID {
				return true
			}
		}
		return false
	})
	return f
}

// turn takes one turn that must go well.
func (k *kit) turn(p *anchor.Publisher) time.Duration {
	k.Helper()
	wait, err := p.Turn(k.ctx)
	if err != nil {
		k.Fatalf("taking a turn: %v", err)
	}
	return wait
}

func newStill(t *testing.T) (*kit, *journaltest.Clock) {
	clock := journaltest.NewClock()
	k := newKit(t.Context(), t, clock)
	t.Cleanup(func() {
		if err := k.journal.Close(); err != nil {
			t.Errorf("closing the journal: %v", err)
		}
	})
	return k, clock
}
