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

// Current says that the rows to be written are wrapped with a version of the tenant's key that may still be used: an
// error that wraps keys.ErrUnavailable if not, since sealing them again helps. It stands in every decide that writes
// sealed rows: without it a row that was wrapped before a rewrap, and comes after it, would be lost when the old
// versions are trimmed.
func Current(r journal.Reader, tenant string, rows ...journal.Row) error {
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

// CommitRow is CommitRows for one row.
func CommitRow(ctx context.Context, door *access.Door, service keys.Service, who access.Who, row *journal.Row,
	decide func(journal.View, *access.Guard) (journal.Change, error)) (journal.Receipt, error) {
	return CommitRows(ctx, door, service, who, []*journal.Row{row}, decide)
}

// CommitRows commits, through the door, a change of who that writes sealed rows, which decide puts into it, whether or
// not the key was rotated since they were sealed: an upload can take longer than a rewrap. Where it was, the rows are
// wrapped again. A row without a value is none. Every sealed row is written through here, but those of a rewrap, and
// those written for nobody (Current).
func CommitRows(ctx context.Context, door *access.Door, service keys.Service, who access.Who, rows []*journal.Row,
	decide func(journal.View, *access.Guard) (journal.Change, error)) (journal.Receipt, error) {
	checked := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		change, err := decide(view, guard)
		if err == nil && len(change.Sealed) > 0 {
			err = Current(view, who.Tenant, change.Sealed...)
		}
		return change, err
	}
	receipt, err := door.Commit(ctx, who, checked)
	if !errors.Is(err, errStale) {
		return receipt, err
	}
	for _, row := range rows {
		if row.Value == nil {
			continue
		}
		if err := rewrap(ctx, service, who.Tenant, row); err != nil {
			return journal.Receipt{}, err
		}
	}
	return door.Commit(ctx, who, checked)
}

// rewrap wraps a row's keys with the newest version of the tenant's key.
func rewrap(ctx context.Context, service keys.Service, tenant string, row *journal.Row) error {
	wrapped, err := seal.Wrapped(row.Value)
	if err != nil {
		return err
	}
	again, err := service.Rewrap(ctx, tenant, []string{wrapped})
	if err == nil && len(again) != 1 {
		err = fmt.Errorf("the key service rewrapped %d of 1", len(again))
	}
	if err == nil {
		err = again[0].Err
	}
	if err != nil {
		return fmt.Errorf("wrapping a row's keys with the newest version: %w", err)
	}
	row.Value, err = seal.Rewrap(row.Value, again[0].Wrapped)
	return err
}
