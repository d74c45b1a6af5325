package anchor

import (
	"context"
	"time"

	"muniment/anchor/journal"
)

// MaxOpen is maxOpen.
const MaxOpen = maxOpen

// ListAnchors is listAnchors.
func ListAnchors(r journal.Reader, q Query) ([]Anchor, error) { return listAnchors(r, q) }

// Idle is the wait of a turn that found nothing to do.
const Idle = idle

// Turn takes one turn on the first ledger, as Run does between two sleeps.
func (p *Publisher) Turn(ctx context.Context) (time.Duration, error) { return p.TurnOf(ctx, 0) }

// TurnOf takes one turn on a ledger.
func (p *Publisher) TurnOf(ctx context.Context, ledger int) (time.Duration, error) {
	return p.workers[ledger].turn(ctx, false)
}
