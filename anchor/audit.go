package anchor

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/anchor/ledger"
)

// View shows a snapshot of a journal, or of a replayed copy of one.
type View func(ctx context.Context, fn func(journal.Reader) error) error

// Audited says how the final anchors of one ledger stand against a log.
type Audited struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Anchors are those that are final on record, and Last the size of the newest of them.
	Anchors int    `json:"anchors"`
	Last    uint64 `json:"last"`
	// Verified are those whose checkpoint is a prefix of the log, signed by a key that the policy trusts, and proved to
	// be on a ledger that the policy pins. The others do not contradict the log, but cannot be told; Untold is the
	// reason of the first.
	Verified int    `json:"verified"`
	Untold   string `json:"untold,omitempty"`
}

// auditPage is how many anchors are read in one snapshot.
const auditPage = 64

// Audit compares every final anchor on record with the log itself: the anchored checkpoint must be a prefix of the log,
// and signature and proof must satisfy the policy. A log that lost entries, or had them replaced, after they were
// anchored does not pass. ErrContradicted says which anchor does not hold. policy may be nil.
func Audit(ctx context.Context, view View, policy *evidence.Policy) ([]Audited, error) {
	audited := []Audited{}
	for next := uint64(0); ; {
		var page []Anchor
		err := view(ctx, func(r journal.Reader) error {
			page = nil
			return anchors().Scan(r, journal.Range{From: rowKey(next)}, func(_ []byte, a Anchor) error {
				page = append(page, a)
				if len(page) == auditPage {
					return journal.Stop
				}
				return nil
			})
		})
		if err != nil {
			return audited, fmt.Errorf("auditing the anchors: %w", err)
		}
		for _, a := range page {
			next = a.Index + 1
			if a.State != Final {
				continue
			}
			i := slices.IndexFunc(audited, func(l Audited) bool { return l.Kind == a.Kind && l.ID == a.ID })
			if i < 0 {
				i = len(audited)
				audited = append(audited, Audited{Kind: a.Kind, ID: a.ID})
			}
			if err := audited[i].add(ctx, view, policy, a); err != nil {
				return audited, fmt.Errorf("auditing the anchors: %w", err)
			}
		}
		if len(page) < auditPage {
			return audited, nil
		}
	}
}

// add judges one final anchor.
func (l *Audited) add(ctx context.Context, view View, policy *evidence.Policy, a Anchor) error {
	l.Anchors++
	l.Last = a.Size()
	c := a.Attempt.Checkpoint
	if !strings.HasPrefix(string(c.Note), fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, hashText(c.Root))) {
		return fmt.Errorf("%w: the anchor of event %d names another checkpoint than it carries",
			ErrContradicted, a.Index)
	}
	err := view(ctx, func(r journal.Reader) error { return prefix(r, c) })
	if err != nil {
		return err
	}
	state, why := evidence.VerifyAnchor(policy, string(c.Note), evidence.Anchor{Kind: a.Kind, ID: a.ID, Proof: a.Proof})
	switch {
	case state == evidence.Holds:
		l.Verified++
	case state == evidence.DoesNotHold:
		return fmt.Errorf("%w: the anchor of event %d does not hold: %s", ErrContradicted, a.Index, why)
	case l.Untold == "":
		l.Untold = why
	}
	return nil
}

// prefix checks that a checkpoint is one of the log's own.
func prefix(r journal.Reader, c ledger.Checkpoint) error {
	root, err := journal.TreeRoot(r, c.Size)
	if err != nil {
		return fmt.Errorf("the anchored checkpoint of size %d: %w: %w", c.Size, ErrContradicted, err)
	}
	if !bytes.Equal(root[:], c.Root) {
		return fmt.Errorf("%w: at the anchored size %d the log has another root", ErrContradicted, c.Size)
	}
	return nil
}

func hashText(root []byte) string {
	var h tlog.Hash
	copy(h[:], root)
	return h.String()
}

// CompareHead compares a ledger's newest checkpoint of an origin with a log: a restored log must contain all that a
// ledger has seen. It returns a checkpoint of size 0 where the ledger has none. ErrContradicted says that the log is
// shorter than the ledger knows, or another.
func CompareHead(ctx context.Context, view View, l ledger.Ledger, origin string) (ledger.Checkpoint, error) {
	head, err := (&worker{ledger: l}).head(ctx, origin)
	if err != nil || head.Size == 0 {
		return head, err
	}
	err = view(ctx, func(r journal.Reader) error { return prefix(r, head) })
	if err != nil {
		return head, fmt.Errorf("the head of the ledger %s %s: %w", l.Kind(), l.ID(), err)
	}
	return head, nil
}
