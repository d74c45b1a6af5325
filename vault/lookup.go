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
	if !ok && len(key) == 1+len(id) && key[0] == sealedTombstone {
		id, ok = journal.ID(key[1:]), true
	}
	if !ok {
		return journal.ID{}, false, fmt.Errorf("a token leads to something else than a document: %w",
			journal.ErrDamaged)
	}
	return id, true, nil
}

// stored reads a document's row and a copy of its sealed row, which is nil when it was erased. The row is returned with
// errRow too: the sealed row is missing, or there though it was erased.
func stored(r journal.Reader, id journal.ID) (document, []byte, error) {
	row, ok, err := documents.Get(r, id[:])
	if err != nil {
		return document{}, nil, err
	}
	if !ok {
		return document{}, nil, ErrNotFound
	}
	sealed, err := sealedOf(r, id, row)
	return row, sealed, err
}

// sealedOf reads the sealed row that belongs to a document's row.
func sealedOf(r journal.Reader, id journal.ID, row document) ([]byte, error) {
	sealed, err := journal.SealedRow(r, sealedKey(sealedDocument, id))
	if err != nil {
		return nil, err
	}
	if (sealed == nil) != row.Erased {
		return nil, fmt.Errorf("the sealed row of document %s does not agree with its record: %w: %w",
			id, errRow, journal.ErrDamaged)
	}
	return slices.Clone(sealed), nil
}

// storedFor is stored for the documents of one tenant: another's is not found.
func storedFor(r journal.Reader, tenant string, id journal.ID) (document, []byte, error) {
	row, sealed, err := stored(r, id)
	if (err == nil || errors.Is(err, errRow)) && row.Tenant != tenant {
		return document{}, nil, ErrNotFound
	}
	return row, sealed, err
}

// visible reads a document of who's tenant for an act that who must have permission for. Its change puts a refusal on
// record, or the alarm that the sealed row is not what was recorded. To a principal without permission anywhere every
// document is refused. One that has it in some series cannot tell other series' documents from none: neither is found,
// and either attempt is on record.
func (v *Vault) visible(r journal.Reader, who access.Who, a access.Action, id journal.ID) (document, []byte,
	journal.Change, error) {
	fail := func(err error, change journal.Change) (document, []byte, journal.Change, error) {
		return document{}, nil, change, err
	}
	permission, err := access.PermissionFor(r, who, a)
	if err != nil {
		return fail(err, journal.Change{})
	}
	row, sealed, err := storedFor(r, who.Tenant, id)
	missing, torn := errors.Is(err, ErrNotFound), errors.Is(err, errRow)
	if err != nil && !missing && !torn {
		return fail(err, journal.Change{})
	}
	if scope := (access.Scope{Series: row.Series}); !permission.Covers(scope) {
		if missing {
			id = journal.ID{}
		}
		refused := ErrNotFound
		if permission.None() {
			refused = access.ErrDenied
		}
		return fail(refused, journal.Change{Events: []journal.Event{access.Denial(a, scope, id)}})
	}
	if missing {
		return fail(err, journal.Change{})
	}
	if torn {
		return fail(fmt.Errorf("%w: %w", ErrDamagedContent, err), row.alarm(id, foundRow))
	}
	return row, sealed, journal.Change{}, nil
}
