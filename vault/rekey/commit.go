package rekey

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/seal"
)

// errStale says that a sealed row was wrapped with a version of the key that a rewrap is about to leave behind. It
// wraps keys.ErrUnavailable: sealing it again helps.
var errStale = fmt.Errorf("the tenant's key was rotated while a row was being sealed: %w", keys.ErrUnavailable)

// current says that the rows to be written are wrapped with a version of the tenant's key that may still be used:
// errStale if not. It stands in every decide that writes sealed rows: without it a row that was wrapped before a
// rewrap, and comes after it, would be lost when the old versions are trimmed.
func current(r journal.Reader, tenant string, rows ...journal.Row) error {
	key, err := keyOf(r, tenant)
	if err != nil || key.Floor <= 1 {
		return err
	}
	for _, row := range rows {
		if row.Value == nil {
			continue
		}
		version, err := VersionOf(row.Value)
		if err != nil {
			return err
		}
		if version < key.Floor {
			return errStale
		}
	}
	return nil
}

// CommitRow commits, through the door, a change of who that writes a sealed row, which decide puts into it, whether or
// not the key was rotated since the row was sealed: an upload can take longer than a rewrap. Where it was, the row is
// wrapped again. Every sealed row is written through here, but those of a rewrap and of a founding.
func CommitRow(ctx context.Context, door *access.Door, service keys.Service, who access.Who, row *journal.Row,
	decide func(journal.View, *access.Guard) (journal.Change, error)) (journal.Receipt, error) {
	checked := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		change, err := decide(view, guard)
		if err == nil && len(change.Sealed) > 0 {
			err = current(view, who.Tenant, change.Sealed...)
		}
		return change, err
	}
	receipt, err := door.Commit(ctx, who, checked)
	if !errors.Is(err, errStale) {
		return receipt, err
	}
	wrapped, err := seal.Wrapped(row.Value)
	if err != nil {
		return journal.Receipt{}, err
	}
	again, err := service.Rewrap(ctx, who.Tenant, []string{wrapped})
	if err == nil && len(again) != 1 {
		err = fmt.Errorf("the key service rewrapped %d of 1", len(again))
	}
	if err == nil {
		err = again[0].Err
	}
	if err != nil {
		return journal.Receipt{}, fmt.Errorf("wrapping a row's keys with the newest version: %w", err)
	}
	if row.Value, err = seal.Rewrap(row.Value, again[0].Wrapped); err != nil {
		return journal.Receipt{}, err
	}
	return door.Commit(ctx, who, checked)
}
