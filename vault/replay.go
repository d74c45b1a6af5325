package vault

import (
	"bytes"
	"context"
	"crypto/sha256"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// earlier is a document that a deposit repeats, or runs into.
type earlier struct {
	id     journal.ID
	row    document
	sealed []byte
	repeat bool // found by the idempotency key, not by the external id
}

// lookup finds the document that the deposit's tokens lead to.
func (in *intake) lookup(r journal.Reader) (*earlier, error) {
	for _, token := range [][]byte{in.repeat, in.external} {
		if token == nil {
			continue
		}
		id, ok, err := resolve(r, token)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		found := &earlier{id: id, repeat: bytes.Equal(token, in.repeat)}
		if found.row, found.sealed, err = stored(r, id); err != nil {
			return nil, err
		}
		return found, nil
	}
	return nil, nil
}

// replay answers a deposit that another one has come before: by the same request, or under the same external id.
func (v *Vault) replay(ctx context.Context, in *intake, found *earlier, digest [sha256.Size]byte) (Deposited, error) {
	opened, err := v.open(ctx, in.who.Tenant, found.id, found.sealed)
	if err != nil {
		return Deposited{}, err
	}
	print, err := fingerprint(in.Deposit, digest)
	if err != nil {
		return Deposited{}, err
	}
	same := bytes.Equal(print, opened.text.Fingerprint)
	if found.repeat && !same {
		return Deposited{}, ErrIdempotency
	}
	if !bytes.Equal(opened.text.ContentSHA256, digest[:]) {
		return Deposited{}, ErrConflict
	}
	_, err = v.cfg.Journal.Commit(ctx, in.who.Actor(), func(view journal.View) (journal.Change, error) {
		row, _, err := stored(view, found.id)
		if err != nil {
			return journal.Change{}, err
		}
		if row.Erased {
			return journal.Change{}, ErrErased
		}
		return v.authorize(view, in.who, access.Deposit, access.Scope{Series: row.Series}, found.id)
	})
	if err != nil {
		return Deposited{}, err
	}
	receipt, err := v.cfg.Journal.Receipt(ctx, found.row.Index)
	if err != nil {
		return Deposited{}, err
	}
	doc := found.row.public(found.id)
	doc.ExternalID, doc.ContentSHA256 = in.ExternalID, digest[:]
	if same {
		opened.text.into(&doc)
	}
	return v.release(ctx, Deposited{ID: found.id, Receipt: receipt, Document: doc})
}
