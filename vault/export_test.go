package vault

import (
	"context"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// LockWorker is the worker of the lock duty, for tests to run when they want.
func LockWorker(v *Vault) journal.Worker { return v.lockWorker() }

// RecordRead puts a read on record as Read does before it opens anything.
func RecordRead(ctx context.Context, v *Vault, who access.Who, id journal.ID, purpose string) error {
	return v.recordRead(ctx, &reading{who: who, id: id, req: ReadRequest{Purpose: purpose}})
}
