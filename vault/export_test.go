package vault

import (
	"context"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// LockWorker is the worker of the lock duty, for tests to run when they want.
func LockWorker(v *Vault) journal.Worker { return v.lockWorker() }

// RecordRead puts a read on record as Read does before it opens anything.
func RecordRead(ctx context.Context, v *Vault, who access.Who, id journal.ID, purpose string) error {
	return v.recordRead(ctx, &reading{who: who, id: id, req: ReadRequest{Purpose: purpose}})
}

// FlushDenials puts the number of refusals on record that had no event of their own, as a worker does from time to time.
func FlushDenials(ctx context.Context, v *Vault, now time.Time) error {
	return v.flushDenials(ctx, now)
}

// OpenSessions is how many read sessions can be joined.
func OpenSessions(v *Vault) int {
	v.sessions.mu.Lock()
	defer v.sessions.mu.Unlock()
	return v.sessions.ages.Len()
}

// MaxSessions is how many there can be.
const MaxSessions = sessionsOpen
