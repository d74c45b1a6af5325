package vault

import (
	"bytes"
	"context"
	"crypto/sha256"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
)

// earlier is a document that a deposit repeats, or runs into.
type earlier struct {
	id     journal.ID
	row    document
	sealed []byte
	repeat bool // found by the idempotency key, not by the external id
	text   sealedText
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

// answerable says whether the deposit may be told anything about the document that it leads to, which is one of its own
// series. Whether content is another document's, and all that is known of it, is for its depositor and for those to
// whom both are open anyway. An idempotency key that the principal has used in another series was used for another
// request, whatever has become of that document, and of the principal's rights there.
func (in *intake) answerable(guard *access.Guard, found *earlier) error {
	if found.row.Series != in.Series {
		return ErrIdempotency
	}
	acts := []access.Action{access.Deposit}
	if !found.own(in.who) {
		acts = append(acts, access.Describe, access.Disclose)
	}
	for _, act := range acts {
		if err := guard.Authorize(act, access.Scope{Series: found.row.Series}, found.id); err != nil {
			return err
		}
	}
	if found.row.Erased {
		return ErrErased
	}
	if in.repeat != nil && !found.repeat {
		return &invalid.Field{
			Name:   "idempotency_key",
			Reason: "is not the one that the document with this external id was deposited with",
		}
	}
	return nil
}

// own says whether the document is the principal's own deposit.
func (e *earlier) own(who access.Who) bool { return e.row.Actor == who.Actor().ID }

// openEarlier opens the text of the document's sealed row.
func (v *Vault) openEarlier(ctx context.Context, in *intake, found *earlier) error {
	opened, err := v.open(ctx, in.who, found.id, found.row.Series, found.sealed)
	found.text = opened.text
	return err
}

// repeat answers a deposit that another one has come before. It reads the content for its digest and keeps nothing of
// it. The sealed row is opened first, so that nobody sends content for nothing while the key service is down.
func (v *Vault) repeat(ctx context.Context, in *intake, found *earlier) (Deposited, error) {
	if err := v.openEarlier(ctx, in, found); err != nil {
		return Deposited{}, err
	}
	digest, err := v.digestOnly(ctx, in.who, in.Deposit)
	if err != nil {
		return Deposited{}, err
	}
	return v.replay(ctx, in, found, digest)
}

// replay answers a deposit that another one has come before, whose text is open: by the same request, or under the same
// external id. That somebody was told about a document's content goes on record first, unless its depositor sends it
// again.
func (v *Vault) replay(ctx context.Context, in *intake, found *earlier, digest [sha256.Size]byte) (Deposited, error) {
	print, err := fingerprint(in.Deposit, digest)
	if err != nil {
		return Deposited{}, err
	}
	repeated := bytes.Equal(print, found.text.Fingerprint)
	if found.repeat && !repeated {
		return Deposited{}, ErrIdempotency
	}
	same := bytes.Equal(found.text.ContentSHA256, digest[:])
	_, err = v.cfg.Door.Commit(ctx, in.who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		var err error
		if found.row, _, err = stored(view, found.id); err != nil {
			return journal.Change{}, err
		}
		if err := in.answerable(guard, found); err != nil || same && found.own(in.who) {
			return journal.Change{}, err
		}
		compared := DocumentCompared.New(found.id, DocumentComparedData{Same: same})
		return journal.Change{Events: []journal.Event{compared}}, nil
	})
	if err != nil {
		return Deposited{}, err
	}
	if !same {
		return Deposited{}, ErrConflict
	}
	receipt, err := v.cfg.Journal.Receipt(ctx, found.row.Index)
	if err != nil {
		return Deposited{}, err
	}
	doc := found.row.public(found.id)
	doc.ExternalID, doc.ContentSHA256 = in.ExternalID, digest[:]
	if repeated {
		found.text.into(&doc, true)
	}
	return v.acknowledge(ctx, in.Deposit, Deposited{ID: found.id, Receipt: receipt, Document: doc})
}
