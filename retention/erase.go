package retention

import (
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault"
)

// MayErase says whether a document may be destroyed now. No schedule can be approved yet, so every document is
// unscheduled, and what is unscheduled is never destroyed: vault.ErrRetained.
func (Rules) MayErase(journal.Reader, string, journal.ID) error {
	return fmt.Errorf("the document's series has no schedule: %w", vault.ErrRetained)
}
