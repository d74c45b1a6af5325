package vault

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
)

// Tokens computes the lookup tokens of sealed rows again, from their keys and values: for a restore, to which tokens are
// never shipped, and for checking those that are there. It opens the rows of each tenant in one batch; a row that does not
// open, or is bound to another place, is an error that names it. Rows without tokens have none in the result.
func (v *Vault) Tokens(ctx context.Context, rowKeys, values [][]byte) ([][][]byte, error) {
	ids := map[string][]journal.ID{}
	rows := map[string][][]byte{}
	places := map[string][]int{}
	err := v.cfg.Journal.View(ctx, func(r journal.Reader) error {
		for i, key := range rowKeys {
			id, ok := documentOf(key)
			if !ok {
				continue
			}
			row, ok, err := documents.Get(r, id[:])
			if err == nil && !ok {
				err = fmt.Errorf("the sealed row of document %s has no record: %w", id, journal.ErrDamaged)
			}
			if err != nil {
				return err
			}
			t := row.Tenant
			ids[t], rows[t], places[t] = append(ids[t], id), append(rows[t], values[i]), append(places[t], i)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("computing tokens: %w", err)
	}
	out := make([][][]byte, len(rowKeys))
	var failed []error
	for tenant := range ids {
		key, err := v.indexKey(ctx, tenant)
		if err != nil {
			return nil, fmt.Errorf("computing tokens: %w", err)
		}
		opened, err := v.openAll(ctx, tenant, ids[tenant], rows[tenant])
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for i, o := range opened {
			out[places[tenant][i]] = o.text.tokens(key, ids[tenant][i])
		}
	}
	if len(failed) > 0 {
		return nil, fmt.Errorf("computing tokens: %w", errors.Join(failed...))
	}
	return out, nil
}
