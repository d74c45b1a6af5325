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

// visible reads a document for an act that the guard's principal must have permission for. A refusal goes on record,
// and so does the alarm that the sealed row is not what was recorded. To a principal without permission anywhere every
// document is refused. A principal with permission in some series cannot tell a document of another series from none:
// neither is found, and either attempt is on record.
func visible(r journal.Reader, guard *access.Guard, a access.Action, id journal.ID) (document, []byte, error) {
	permission, err := guard.Permission(a)
	if err != nil {
		return document{}, nil, err
	}
	row, sealed, err := storedFor(r, guard.Who().Tenant, id)
	missing, torn := errors.Is(err, ErrNotFound), errors.Is(err, errRow)
	if err != nil && !missing && !torn {
		return document{}, nil, err
	}
	if scope := (access.Scope{Series: row.Series}); !permission.Covers(scope) {
		if missing {
			id = journal.ID{}
		}
		answer := ErrNotFound
		if permission.None() {
			answer = access.ErrDenied
		}
		return document{}, nil, guard.Refuse(a, scope, id, answer)
	}
	if missing {
		return document{}, nil, err
	}
	if torn {
		alarm := row.alarm(id, foundRow)
		return document{}, nil, access.Recorded(fmt.Errorf("%w: %w", ErrDamagedContent, err), alarm.Events...)
	}
	return row, sealed, nil
}
