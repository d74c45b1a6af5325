package vault

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/rekey"
)

// SealedRows tells package rekey of the vault's sealed rows.
func (v *Vault) SealedRows() rekey.Rows { return sealedRows{v} }

type sealedRows struct{ v *Vault }

// Tenant is the tenant of a document, or of the event that binds the row.
func (sealedRows) Tenant(r journal.Reader, key []byte) (string, error) {
	if len(key) > 1 && (key[0] == sealedDocument || key[0] == sealedTombstone) {
		row, ok, err := documents.Get(r, key[1:])
		if err != nil || ok {
			return row.Tenant, err
		}
	}
	by, err := journal.BoundBy(r, key)
	if errors.Is(err, journal.ErrNotFound) {
		return "", nil
	}
	return by.Tenant, err
}

// Binding is what the row's keys are bound to.
func (sealedRows) Binding(r journal.Reader, key []byte) ([]byte, error) {
	_, binding, err := bindingOf(r, key)
	return binding, err
}

// Canary is the key of the tenant's index key's row, whose binding holds the journal id.
func (sealedRows) Canary(r journal.Reader, tenant string) ([]byte, error) {
	row, ok, err := tenants.Get(r, []byte(tenant))
	if err == nil && !ok {
		err = ErrNotFound
	}
	return sealedKey(sealedIndexKey, row.IndexKey), err
}

// Unreadable raises the alarm about a document's row.
func (s sealedRows) Unreadable(ctx context.Context, who access.Who, key []byte, err error) {
	if id, ok := documentOf(key); ok {
		_ = s.v.damage(ctx, who, id, fmt.Errorf("%w: %w", errRow, err))
	}
}

// ErasedUnder counts the erased documents by the version of the tenant's key that their rows had last.
func (sealedRows) ErasedUnder(r journal.Reader, tenant string, oldest, before int) (uint64, error) {
	return erasedUnder(r, tenant, oldest, before)
}
