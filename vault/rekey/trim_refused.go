package rekey

import (
	"context"
	"fmt"
	"time"

	"muniment/anchor/journal"
)

// TrimRefused says when a trim of a tenant's key was refused last because a row of the tenant's did not open with the
// key that was to be trimmed: the key service, or its key, is another's. It is zero if none was, or one has been
// carried out since.
func (k *Keys) TrimRefused(ctx context.Context, tenant string) (at time.Time, err error) {
	err = k.cfg.Journal.View(ctx, func(r journal.Reader) error {
		row, _, err := keyStates.Get(r, []byte(tenant))
		at = row.Refused
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("looking for refused trims: %w", err)
	}
	return at, nil
}
