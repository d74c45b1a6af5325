package vault

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/people"
	"muniment/vault/seal"
)

// Indexer computes the lookup tokens of sealed rows again, from the rows themselves: for a restore, to which tokens are
// never shipped, and for checking those that are there. It unwraps every row on the way and compares its binding.
type Indexer struct{ *unsealer }

// NewIndexer makes an indexer over the rows that view shows; no journal needs to be open. The tenants' keys are found
// under the names that they have for the journal there.
func NewIndexer(view func(context.Context, func(journal.Reader) error) error, svc keys.Service) Indexer {
	return Indexer{&unsealer{view: view, keys: svc, indexes: map[string]keys.Secret{}}}
}

// Tokens unwraps sealed rows, one batch for each tenant, and says which tokens lead to each, in the order of the rows.
// A row that does not unwrap, or is bound to another place, has a problem. The error is for what concerns none of them
// alone: keys.ErrUnavailable, keys.ErrDenied.
func (x Indexer) Tokens(ctx context.Context, rows []journal.SealedRowAt) ([]journal.TokensOf, error) {
	out := make([]journal.TokensOf, len(rows))
	places := map[string][]int{}
	bound := make([]boundRow, len(rows))
	err := x.view(ctx, func(r journal.Reader) error {
		for i, row := range rows {
			tenant, binding, err := bindingOf(r, row.Key)
			if errors.Is(err, journal.ErrNotFound) {
				out[i].Problem = "no event binds it"
				continue
			}
			if err != nil {
				return err
			}
			bound[i] = boundRow{SealedRowAt: row, binding: binding}
			if bound[i].series, err = seriesOf(r, row.Key); errors.Is(err, ErrNotFound) {
				out[i].Problem = "the table of documents has no row for it"
				continue
			}
			if err != nil {
				return err
			}
			places[tenant] = append(places[tenant], i)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("computing tokens: %w", err)
	}
	for tenant, at := range places {
		if err := x.tenantTokens(ctx, tenant, at, bound, out); err != nil {
			return nil, fmt.Errorf("computing tokens: %w", err)
		}
	}
	return out, nil
}

// boundRow is a sealed row with what it must be bound to, and the series of its document, if it is one's.
type boundRow struct {
	journal.SealedRowAt
	binding []byte
	series  string
}

// seriesOf is the series of the document that a sealed row, or tombstone, belongs to; "" for other rows.
func seriesOf(r journal.Reader, key []byte) (string, error) {
	if key[0] != sealedDocument && key[0] != sealedTombstone {
		return "", nil
	}
	row, ok, err := documents.Get(r, key[1:])
	if err == nil && !ok {
		err = ErrNotFound
	}
	return row.Series, err
}

// bindingOf is what a sealed row must be bound to. Its tenant is that of the event that binds it.
func bindingOf(r journal.Reader, key []byte) (tenant string, binding []byte, err error) {
	by, err := journal.BoundBy(r, key)
	if err != nil {
		return "", nil, err
	}
	var id journal.ID
	if len(key) != 1+len(id) {
		return "", nil, fmt.Errorf("a sealed row's key has %d bytes: %w", len(key), journal.ErrDamaged)
	}
	copy(id[:], key[1:])
	switch key[0] {
	case sealedDocument:
		return by.Tenant, seal.Binding(by.Tenant, id), nil
	case sealedTombstone:
		return by.Tenant, seal.RowBinding(by.Tenant, tombstoneBinding, id[:]), nil
	case sealedNote:
		return by.Tenant, seal.RowBinding(by.Tenant, noteBinding, id[:]), nil
	case access.SealedName:
		binding, err := people.NameBinding(by, id)
		return by.Tenant, binding, err
	case sealedIndexKey:
		of, err := journal.ReadID(r)
		return by.Tenant, bindIndexKey(by.Tenant, of, id), err
	}
	return "", nil, fmt.Errorf("a sealed row is of the unknown kind %q: a newer program is needed", key[0])
}

// tenantTokens unwraps the rows of one tenant and fills in their results.
func (x Indexer) tenantTokens(ctx context.Context, tenant string, at []int, rows []boundRow,
	out []journal.TokensOf) error {
	sealed := make([]seal.Sealed, len(at))
	for i, place := range at {
		sealed[i] = seal.Sealed{Binding: rows[place].binding, Value: rows[place].Value}
	}
	opened, err := x.openSealed(ctx, tenant, sealed)
	if err != nil {
		return err
	}
	for i, place := range at {
		if errors.Is(opened[i].Err, keys.ErrNoKey) {
			out[place].Problem = "the key service has no version of the key any more that opens it: " +
				"it is from before a trim, or keys are lost"
			continue
		}
		if opened[i].Err != nil {
			out[place].Problem = "it cannot be unwrapped, or is not the row of this place"
			continue
		}
		tokens, err := tokensIn(rows[place], opened[i].Text)
		if err != nil {
			out[place].Problem = err.Error()
			continue
		}
		if tokens == nil {
			continue
		}
		key, err := x.indexKey(ctx, tenant)
		if err != nil {
			return err
		}
		out[place].Tokens = tokens(key)
	}
	return nil
}

// tokensIn reads the text of a sealed row for what its tokens are computed from; nil if it has none.
func tokensIn(row boundRow, raw []byte) (func(index keys.Secret) [][]byte, error) {
	switch row.Key[0] {
	case sealedDocument:
		text, err := textIn(row.series, raw)
		if err != nil {
			return nil, err
		}
		return func(index keys.Secret) [][]byte { return text.tokens(index, row.series, journal.ID(row.Key[1:])) }, nil
	case sealedTombstone:
		text, err := parseTombstone(raw)
		if err != nil {
			return nil, err
		}
		return func(index keys.Secret) [][]byte {
			return [][]byte{externalIDToken(index, row.series, text.ExternalID)}
		}, nil
	}
	return nil, nil
}

// reindex computes the tokens again that a restore has left out. It comes before anything is served: without its token
// a document is not found under its external id, and would be deposited twice.
func (v *Vault) reindex(ctx context.Context) error {
	began := v.cfg.Clock.Now()
	n, err := v.cfg.Journal.Reindex(ctx, Indexer{v.unsealer}.Tokens)
	if n > 0 {
		v.cfg.Log.Info("the lookup index was computed again after a restore",
			"rows", n, "took", v.cfg.Clock.Now().Sub(began))
	}
	return err
}
