package vault

import (
	"errors"
	"fmt"
	"slices"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// resolve follows a token to the document that it leads to, erased or not.
func resolve(r journal.Reader, token []byte) (journal.ID, bool, error) {
	key, err := journal.Lookup(r, token)
	if err != nil || key == nil {
		return journal.ID{}, false, err
	}
	id, ok := documentOf(key)
	if !ok {
		return journal.ID{}, false, fmt.Errorf("a token leads to something else than a document: %w", journal.ErrDamaged)
	}
	return id, true, nil
}

// stored reads a document's row and a copy of its sealed row, which is nil when it was erased.
func stored(r journal.Reader, id journal.ID) (document, []byte, error) {
	row, ok, err := documents.Get(r, id[:])
	if err != nil {
		return document{}, nil, err
	}
	if !ok {
		return document{}, nil, ErrNotFound
	}
	sealed, err := journal.SealedRow(r, sealedKey(sealedDocument, id))
	if err != nil {
		return document{}, nil, err
	}
	if (sealed == nil) != row.Erased {
		return document{}, nil, fmt.Errorf("the sealed row of document %s does not agree with its record: %w", id, journal.ErrDamaged)
	}
	return row, slices.Clone(sealed), nil
}

// storedFor is stored for the documents of one tenant: another's is not found.
func storedFor(r journal.Reader, tenant string, id journal.ID) (document, []byte, error) {
	row, sealed, err := stored(r, id)
	if err == nil && row.Tenant != tenant {
		return document{}, nil, ErrNotFound
	}
	return row, sealed, err
}

// visible reads a document of who's tenant for an act that who must have permission for. Its change puts a refusal on
// record. To a principal without permission anywhere every document is refused, so that it learns of none.
func (v *Vault) visible(r journal.Reader, who access.Who, a access.Action, id journal.ID) (document, []byte, journal.Change, error) {
	permission, err := access.PermissionFor(r, who, a)
	if err != nil {
		return document{}, nil, journal.Change{}, err
	}
	row, sealed, err := storedFor(r, who.Tenant, id)
	if errors.Is(err, ErrNotFound) && permission.None() {
		change := journal.Change{Events: []journal.Event{access.Denial(a, access.Scope{}, journal.ID{})}}
		return document{}, nil, change, access.ErrDenied
	}
	if err != nil {
		return document{}, nil, journal.Change{}, err
	}
	scope := access.Scope{Series: row.Series}
	if !permission.Covers(scope) {
		change := journal.Change{Events: []journal.Event{access.Denial(a, scope, id)}}
		return document{}, nil, change, access.ErrDenied
	}
	return row, sealed, journal.Change{}, nil
}
