package people

import (
	"context"
	"fmt"
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
)

// Time says where the settled time stands, what waits in who's tenant, and which gaps somebody should acknowledge;
// access.ViewKeys is needed.
func (p *People) Time(ctx context.Context, who access.Who) (journal.TimeStatus, error) {
	err := p.cfg.Door.Permit(ctx, who, access.ViewKeys)
	if err != nil {
		return journal.TimeStatus{}, fmt.Errorf("reading the settled time: %w", err)
	}
	return p.timeOf(ctx, who.Tenant)
}

func (p *People) timeOf(ctx context.Context, tenant string) (journal.TimeStatus, error) {
	status, err := p.cfg.Journal.Time(ctx)
	status.Waits = slices.DeleteFunc(status.Waits, func(w journal.Waiting) bool { return w.Tenant != tenant })
	return status, err
}

// AcknowledgeTime lets a gap of settled time count for what had begun to wait before it: who knows that no process ran
// for so long, or that the machine slept. access.AcknowledgeTime is needed, and who must not have begun anything that
// waits. The gap is named by the index of its event and its length, as Time shows them, so that nobody acknowledges
// another one than they saw. It returns where the settled time stands then.
//
// Errors: journal.ErrNoGap; journal.ErrOwnWait; journal.ErrNotPassed; approval.ErrTrial; access.ErrUnreleased, when it
// is on record and in force, but no locked checkpoint covers it in time; access.ErrDenied.
func (p *People) AcknowledgeTime(ctx context.Context, who access.Who, gap uint64,
	length time.Duration) (journal.TimeStatus, error) {
	_, acted := approval.Commit(ctx, p.cfg.Door, who, access.AcknowledgeTime,
		func(view journal.View) (struct{}, []journal.Event, error) {
			events, err := journal.Acknowledge(view, who.Actor().ID, gap, length)
			return struct{}{}, events, err
		})
	if acted != nil {
		acted = fmt.Errorf("acknowledging a gap of settled time: %w", acted)
	}
	status, err := p.timeOf(ctx, who.Tenant)
	if acted == nil {
		acted = err
	}
	return status, acted
}
