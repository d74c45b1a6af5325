package vault

import (
	"context"
	"fmt"

	"muniment/anchor/journal"
)

// shipped waits until all that is on record now is in the released head. What cannot be undone is done only then: until
// the head is swapped this machine may be lost with the record of it, or may have been overtaken by another that knows
// more documents, and more holds.
func (v *Vault) shipped(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, v.cfg.Patience)
	defer cancel()
	if err := v.cfg.Journal.Shipped(patience, journal.Receipt{Index: v.cfg.Journal.Size() - 1}); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreleased, err)
	}
	return nil
}
