package vault

import (
	"context"
	"fmt"
	"io"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/keys"
	"muniment/vault/seal"
)

// saltSize is the length of a commitment's salt, in bytes.
const saltSize = 32

// ownKeys are what a new document gets before its content is read: its id, its keyset and its salt, the latter two
// wrapped already.
type ownKeys struct {
	id       journal.ID
	suite    seal.Suite
	keyset   keys.Secret
	salt     keys.Secret
	envelope *seal.Envelope
	until    time.Time // how long they may wait for their document
}

// drawKeys gives a deposit keys of its own, wrapped already: from the pool, or drawn for it alone.
func (v *Vault) drawKeys(ctx context.Context, tenant string, d *Deposit) (*ownKeys, error) {
	name := poolKind{tenant, seal.SuiteFor(d.Length, v.cfg.FIPS)}
	if own := v.pool.take(name, v.cfg.Clock.Now()); own != nil {
		return own, nil
	}
	drawn, err := v.wrapKeys(ctx, tenant, name.suite, 1)
	if err != nil {
		return nil, err
	}
	return drawn[0], nil
}

// wrapKeys draws the keys of n documents and has them wrapped, in one call to the key service.
func (v *Vault) wrapKeys(ctx context.Context, tenant string, suite seal.Suite, n int) ([]*ownKeys, error) {
	now := v.cfg.Clock.Now()
	out, items := make([]*ownKeys, n), make([]seal.Item, n)
	for i := range out {
		own := &ownKeys{suite: suite, salt: make([]byte, saltSize), until: now.Add(poolLife)}
		var err error
		if own.id, err = journal.NewID(now, v.cfg.Rand); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(v.cfg.Rand, own.salt); err != nil {
			return nil, fmt.Errorf("drawing a salt: %w", err)
		}
		if own.keyset, err = seal.NewKeyset(suite); err != nil {
			return nil, fmt.Errorf("making a document's key: %w", err)
		}
		out[i], items[i] = own, seal.Item{Binding: seal.Binding(tenant, own.id), Keyset: own.keyset, Salt: own.salt}
	}
	envelopes, err := seal.Address(ctx, v.cfg.Keys, tenant, items)
	if err != nil {
		return nil, fmt.Errorf("wrapping a document's keys: %w", err)
	}
	for i := range out {
		out[i].envelope = envelopes[i]
	}
	return out, nil
}

// forget overwrites keys that no document has got.
func (o *ownKeys) forget() {
	clear(o.keyset)
	clear(o.salt)
	o.envelope.Discard()
}

// seal makes the sealed row of the document, which is filed in a series.
func (o *ownKeys) seal(indexKey keys.Secret, series string, text *sealedText) (journal.Row, error) {
	raw, err := text.marshal()
	if err != nil {
		return journal.Row{}, err
	}
	value, err := o.envelope.Seal(raw)
	if err != nil {
		return journal.Row{}, err
	}
	return journal.Row{Key: sealedKey(sealedDocument, o.id), Value: value,
		Tokens: text.tokens(indexKey, series, o.id)}, nil
}
