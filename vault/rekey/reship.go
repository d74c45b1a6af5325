package rekey

import (
	"context"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// Reship gives the journal a new shipping key, under which all of its history is shipped again: for when the present
// one may be known to others. It returns the key's number; access.ReshipKey is needed. The shipping goes on in the
// background, and is taken up again by the next start.
//
// Errors: access.ErrDenied; journal.ErrKeysUnavailable.
func (k *Keys) Reship(ctx context.Context, who access.Who) (number int, err error) {
	if err := k.cfg.Door.Permit(ctx, who, access.ReshipKey); err != nil {
		return 0, fmt.Errorf("changing the shipping key: %w", err)
	}
	changed, err := k.cfg.Journal.NextShippingKey(ctx)
	if err != nil {
		return 0, fmt.Errorf("changing the shipping key: %w", err)
	}
	_, err = k.cfg.Door.Act(ctx, who, access.ReshipKey, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{changed}}, nil
	})
	if err != nil {
		return 0, fmt.Errorf("changing the shipping key: %w", err)
	}
	number, _ = k.cfg.Journal.ShippingKey()
	return number, nil
}
