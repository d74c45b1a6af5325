package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"muniment/anchor/journal"
	"muniment/anchor/ledger"
)

// ErrContradicted says that a ledger's head is not one of this journal's: an old backup was restored, somebody else
// anchors under our origin, or an endpoint lies. Nothing is anchored there until they agree again.
var ErrContradicted = errors.New("the ledger's head contradicts the journal")

// check compares the ledger's head with the journal, before the first turn and after every failure.
func (w *worker) check(ctx context.Context, s situation) error {
	// The last final anchor may be of an earlier origin: a chain that lost its storage lost that one too.
	last, err := w.lastFinal(ctx)
	if err != nil {
		return err
	}
	if last.Size > 0 {
		head, err := w.head(ctx, last.Origin)
		if err != nil {
			return err
		}
		if head.Size < last.Size {
			return w.rebuild(ctx, head.Size, last.Size)
		}
	}
	head, err := w.head(ctx, s.origin)
	if err != nil {
		return err
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

// head is the ledger's head, of size 0 when it has none.
func (w *worker) head(ctx context.Context, origin string) (ledger.Checkpoint, error) {
	head, err := w.ledger.Head(ctx, origin)
	if errors.Is(err, ledger.ErrUnknown) {
		return ledger.Checkpoint{Origin: origin}, nil
	}
	if err != nil {
		return head, fmt.Errorf("reading the ledger's head: %w", err)
	}
	return head, nil
}

// lastFinal is the checkpoint of the last anchor on this ledger that is final; its size is 0 when there is none.
func (w *worker) lastFinal(ctx context.Context) (c ledger.Checkpoint, err error) {
	err = w.cfg.Journal.View(ctx, func(r journal.Reader) error {
		newest := journal.Prefix(ledgerKey(w.ledger.Kind(), w.ledger.ID()))
		newest.Reverse = true
		return anchors().ScanBy(r, byFinal, newest, func(_, _ []byte, a Anchor) error {
			c = a.Attempt.Checkpoint
			return journal.Stop
		})
	})
	if err != nil {
		return c, fmt.Errorf("reading the anchors: %w", err)
	}
	return c, nil
}

// rebuild gives a ledger that lost its storage the final anchors back, oldest first. Any other ledger must not lose
// them.
func (w *worker) rebuild(ctx context.Context, at, final uint64) error {
	ours, ok := w.ledger.(ledger.Rebuilder)
	if !ok {
		return fmt.Errorf("%w: it is at size %d, and size %d was final", ErrContradicted, at, final)
	}
	w.cfg.Log.Warn("a ledger is behind its final anchors; rebuilding it", w.attrs("size", at, "final", final)...)
	key := ledgerKey(w.ledger.Kind(), w.ledger.ID())
	const page = 64 // so that no snapshot is held while the ledger works
	for next := uint64(0); ; {
		var some []Anchor
		err := w.cfg.Journal.View(ctx, func(r journal.Reader) error {
			some = nil
			rest := journal.Range{From: append(slices.Clone(key), rowKey(next)...), To: journal.Prefix(key).To}
			return anchors().ScanBy(r, byFinal, rest, func(_, _ []byte, a Anchor) error {
				if some = append(some, a); len(some) == page {
					return journal.Stop
				}
				return nil
			})
		})
		if err != nil {
			return fmt.Errorf("reading the anchors: %w", err)
		}
		for _, a := range some {
			if err := ours.Rebuild(ctx, a.Attempt); err != nil {
				return fmt.Errorf("rebuilding the ledger: %w", err)
			}
			next = a.Index + 1
		}
		if len(some) < page {
			return nil
		}
	}
}
