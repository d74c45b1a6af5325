package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/anchor/ledger"
)

// ErrContradicted says that a ledger's head is not one of this journal's: an old backup was restored, somebody else anchors
// under our origin, or an endpoint lies. Nothing is anchored there until they agree again.
var ErrContradicted = errors.New("the ledger's head contradicts the journal")

// check compares the ledger's head with the journal, before the first turn and after every failure.
func (w *worker) check(ctx context.Context, s situation) error {
	head, err := w.ledger.Head(ctx, s.origin)
	if errors.Is(err, ledger.ErrUnknown) {
		head, err = ledger.Checkpoint{Origin: s.origin}, nil
	}
	if err != nil {
		return fmt.Errorf("reading the ledger's head: %w", err)
	}
	if head.Size < s.final {
		return w.rebuild(ctx, head.Size, s)
	}
	if head.Size == 0 {
		return nil
	}
	if head.Size > w.cfg.Journal.Size() && head.Size > s.live {
		return fmt.Errorf("%w: it is at size %d and the journal at %d; was an old backup restored?", ErrContradicted,
			head.Size, w.cfg.Journal.Size())
	}
	root, err := w.cfg.Journal.RootAt(ctx, head.Size)
	if err != nil {
		return fmt.Errorf("comparing the ledger's head: %w", err)
	}
	if !bytes.Equal(root[:], head.Root) {
		return fmt.Errorf("%w: at size %d it has another root", ErrContradicted, head.Size)
	}
	return nil
}

// rebuild gives a ledger that lost its storage the final anchors back, oldest first. Any other ledger must not lose them.
func (w *worker) rebuild(ctx context.Context, at uint64, s situation) error {
	ledgerOfOurs, ok := w.ledger.(ledger.Rebuilder)
	if !ok {
		return fmt.Errorf("%w: it is at size %d, and size %d was final", ErrContradicted, at, s.final)
	}
	w.cfg.Log.Warn("a ledger is behind its final anchors; rebuilding it", w.attrs("size", at, "final", s.final)...)
	const page = 64
	for next := uint64(0); ; {
		var some []Anchor
		err := w.cfg.Journal.View(ctx, func(r journal.Reader) error {
			some = nil
			return anchors().Scan(r, journal.Range{From: rowKey(next)}, func(_ []byte, a Anchor) error {
				if next = a.Index + 1; a.State == Final && a.Kind == w.ledger.Kind() && a.ID == w.ledger.ID() {
					some = append(some, a)
				}
				if len(some) == page {
					return journal.Stop
				}
				return nil
			})
		})
		if err != nil {
			return fmt.Errorf("reading the anchors: %w", err)
		}
		for _, a := range some {
			if err := ledgerOfOurs.Rebuild(ctx, a.Attempt); err != nil {
				return fmt.Errorf("rebuilding the ledger: %w", err)
			}
		}
		if len(some) < page {
			return nil
		}
	}
}
