package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/keys"
	"muniment/vault/seal"
)

// tombstoneText is what the tombstone of an erased document holds: what the token of its external id is computed from,
// so that a restore can compute it again.
type tombstoneText struct {
	V          int    `json:"v"`
	ExternalID string `json:"external_id"`
}

// newTombstone seals the row that keeps an external id of a series taken when its document is erased. It stands under
// the document's id.
func (v *Vault) newTombstone(ctx context.Context, x *erasure, index keys.Secret, series,
	externalID string) (journal.Row, error) {
	raw, err := json.Marshal(tombstoneText{V: textVersion, ExternalID: externalID})
	if err != nil {
		return journal.Row{}, errors.New("writing a tombstone: its text cannot be written as JSON")
	}
	binding := seal.RowBinding(x.who.Tenant, tombstoneBinding, x.id[:])
	value, err := seal.Text(ctx, v.cfg.Keys, x.who.Tenant, binding, raw)
	token := externalIDToken(index, series, externalID)
	return journal.Row{Key: sealedKey(sealedTombstone, x.id), Value: value, Tokens: [][]byte{token}}, err
}

// parseTombstone reads the text of a tombstone.
func parseTombstone(raw []byte) (tombstoneText, error) {
	var text tombstoneText
	if err := json.Unmarshal(raw, &text); err != nil {
		return text, fmt.Errorf("the text of a tombstone is not what it should be: %w", errRow)
	}
	if text.V > textVersion {
		return text, fmt.Errorf("%w: its text is of format %d, this program knows %d",
			seal.ErrNewer, text.V, textVersion)
	}
	return text, nil
}

// prepareForgetting computes the token that leads to the tombstone of a document that is erased already.
func (v *Vault) prepareForgetting(ctx context.Context, x *erasure, row document) error {
	if !row.Tombstone || !x.ExternalID {
		return nil
	}
	var value []byte
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) error {
		sealed, err := journal.SealedRow(r, sealedKey(sealedTombstone, x.id))
		value = append([]byte(nil), sealed...)
		return err
	})
	if err != nil {
		return err
	}
	binding := seal.RowBinding(x.who.Tenant, tombstoneBinding, x.id[:])
	opened, err := seal.Open(ctx, v.cfg.Keys, x.who.Tenant, []seal.Sealed{{Binding: binding, Value: value}})
	if err != nil || opened[0].Err != nil {
		return errors.Join(err, opened[0].Err)
	}
	text, err := parseTombstone(opened[0].Text)
	if err != nil {
		return err
	}
	key, err := v.indexKey(ctx, x.who.Tenant)
	x.tokens = [][]byte{externalIDToken(key, row.Series, text.ExternalID)}
	return err
}

// forget is what erases the tombstone of an erased document.
func (x *erasure) forget() journal.Change {
	return journal.Change{
		Events: []journal.Event{TombstoneErased.New(x.id, TombstoneErasedData{Authority: x.Authority})},
		Sealed: []journal.Row{{Key: sealedKey(sealedTombstone, x.id), Tokens: x.tokens}},
	}
}

func reduceTombstoneErased(w *journal.Writer, e journal.Entry, _ TombstoneErasedData) error {
	if err := w.Unbind(sealedKey(sealedTombstone, e.Doc)); err != nil {
		return err
	}
	row, ok, err := documents.Get(w, e.Doc[:])
	if err != nil {
		return err
	}
	if !ok || !row.Tombstone {
		return errors.New("erasing a tombstone: there is none")
	}
	row.Tombstone = false
	return documents.Put(w, e.Doc[:], row)
}
