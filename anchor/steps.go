package anchor

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/anchor/ledger"
)

// prepare signs an anchor of a released head and puts it on record. Nothing is sent yet.
func (w *worker) prepare(ctx context.Context, s situation, urgent bool) (Anchor, error) {
	head := w.heads.choose(s.live, w.cfg.Journal.LastNews(), urgent)
	open := make([]ledger.Attempt, len(s.open))
	for i, a := range s.open {
		open[i] = a.Attempt
	}
	attempt, err := w.ledger.Prepare(ctx, ledger.Checkpoint{
		Origin: head.Origin, Size: head.Size, Root: head.Root[:], Note: head.Note,
	}, open)
	if err != nil {
		return Anchor{}, fmt.Errorf("preparing an anchor: %w", err)
	}
	if len(attempt.State) > ledger.MaxState {
		return Anchor{}, fmt.Errorf("preparing an anchor: the ledger's state has %d bytes, more than %d",
			len(attempt.State), ledger.MaxState)
	}
	data := prepared{Kind: w.ledger.Kind(), ID: w.ledger.ID(), Attempt: attempt}
	receipt, err := w.cfg.Journal.Commit(ctx, system(), func(v journal.View) (journal.Change, error) {
		// Another gateway may have prepared one since, and the ledger would refuse the second or charge for it.
		live, err := largestLive(v, data)
		if err != nil {
			return journal.Change{}, err
		}
		if live >= attempt.Checkpoint.Size {
			return journal.Change{}, errPrepared
		}
		return journal.Change{Events: []journal.Event{eventPrepared.New(journal.ID{}, data)}}, nil
	})
	if err != nil {
		return Anchor{}, fmt.Errorf("recording an anchor: %w", err)
	}
	w.cfg.Log.Debug("an anchor is prepared", w.attrs("size", attempt.Checkpoint.Size, "anchor", receipt.Index)...)
	return Anchor{Index: receipt.Index, Kind: data.Kind, ID: data.ID, State: Prepared, Attempt: attempt}, nil
}

// largestLive is the largest size that an anchor of the same ledger and origin has which is not lost.
func largestLive(r journal.Reader, p prepared) (size uint64, err error) {
	newest := journal.Prefix(ledgerKey(p.Kind, p.ID, p.Attempt.Checkpoint.Origin))
	newest.Reverse = true
	err = anchors().ScanBy(r, byLive, newest, func(_, _ []byte, a Anchor) error {
		size = a.Size()
		return journal.Stop
	})
	return size, err
}

// advance moves one open anchor as far as the ledger lets it.
func (w *worker) advance(ctx context.Context, a Anchor) error {
	if a.State == Prepared {
		if err := w.submit(ctx, a); err != nil {
			return err
		}
	}
	status, err := w.ledger.Status(ctx, a.Attempt)
	if err != nil {
		return fmt.Errorf("asking for an anchor's status: %w", err)
	}
	switch status {
	case ledger.Pending:
		if a.State == Included { // a reorganization took it back
			return w.record(ctx, a.Index, eventSubmitted.New(journal.ID{}, step{a.Index}))
		}
		if a.State == Submitted { // the ledger may have forgotten it
			return w.submit(ctx, a)
		}
		return nil
	case ledger.Included:
		return w.record(ctx, a.Index, eventIncluded.New(journal.ID{}, step{a.Index}))
	case ledger.Final:
		return w.finish(ctx, a)
	case ledger.Lost, ledger.Superseded:
		return w.record(ctx, a.Index, eventLost.New(journal.ID{}, lost{a.Index, status}))
	}
	return fmt.Errorf("asking for an anchor's status: the ledger answered %q, which is no status", status)
}

// submit sends an anchor, and puts on record that the ledger took it. A refusal is no error here: the status that is
// asked for next says what became of the anchor.
func (w *worker) submit(ctx context.Context, a Anchor) error {
	err := w.ledger.Submit(ctx, a.Attempt)
	if errors.Is(err, ledger.ErrRefused) {
		return w.refused(ctx, a, err)
	}
	if err != nil {
		return fmt.Errorf("submitting an anchor: %w", err)
	}
	return w.record(ctx, a.Index, eventSubmitted.New(journal.ID{}, step{a.Index}))
}

// refused makes sure that a refused anchor is one that the ledger calls lost, or that it has after all: one that stayed
// pending would be sent for ever.
func (w *worker) refused(ctx context.Context, a Anchor, refusal error) error {
	status, err := w.ledger.Status(ctx, a.Attempt)
	if err != nil {
		return fmt.Errorf("asking for an anchor's status: %w", err)
	}
	if status == ledger.Pending {
		return fmt.Errorf("submitting an anchor: %w", refusal)
	}
	return nil
}

// finish puts the proof of a final anchor on record.
func (w *worker) finish(ctx context.Context, a Anchor) error {
	proof, err := w.ledger.Prove(ctx, a.Attempt)
	if err != nil {
		return fmt.Errorf("proving an anchor: %w", err)
	}
	if len(proof) > ledger.MaxProof {
		return fmt.Errorf("proving an anchor: the proof has %d bytes, more than %d", len(proof), ledger.MaxProof)
	}
	return w.record(ctx, a.Index, eventFinal.New(journal.ID{}, proved{a.Index, proof}))
}

// record commits a step, unless it is on record already: several gateways may see it.
func (w *worker) record(ctx context.Context, index uint64, e journal.Event) error {
	_, err := w.cfg.Journal.Commit(ctx, system(), func(v journal.View) (journal.Change, error) {
		a, ok, err := anchors().Get(v, rowKey(index))
		if err != nil {
			return journal.Change{}, err
		}
		if !ok {
			return journal.Change{}, fmt.Errorf("the anchor of event %d: %w", index, journal.ErrNotFound)
		}
		if !follows(a.State, e.Type) {
			return journal.Change{}, nil
		}
		return journal.Change{Events: []journal.Event{e}}, nil
	})
	if err != nil {
		return fmt.Errorf("recording a step of an anchor: %w", err)
	}
	return nil
}

// follows says whether a step of this type changes an anchor in this state.
func follows(s State, event string) bool {
	switch event {
	case string(eventSubmitted):
		return s == Prepared || s == Included
	case string(eventIncluded):
		return s == Prepared || s == Submitted
	case string(eventFinal), string(eventLost):
		return s.open()
	}
	return false
}
