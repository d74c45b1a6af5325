package vault_test

import (
	"bytes"
	"context"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault"
)

// The tokens of every sealed row can be computed again from the row alone.
func TestIndexer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want := map[journal.ID]int{
		r.deposit(vault.Deposit{}, []byte("a")).ID:                                      1,
		r.deposit(vault.Deposit{ExternalID: "x"}, []byte("a")).ID:                       2,
		r.deposit(vault.Deposit{ExternalID: "y", IdempotencyKey: "k"}, []byte("a")).ID:  3,
		r.deposit(vault.Deposit{IdempotencyKey: "l", Title: "a title"}, []byte("b")).ID: 2,
	}
	ctx := context.Background()
	var rows []journal.SealedRowAt
	stored := 0
	err := r.backend.View(ctx, func(rd journal.Reader) error {
		err := rd.Scan(journal.Table{Kind: journal.Sealed, Name: "row"}, journal.Range{},
			func(key, value []byte) error {
				rows = append(rows, journal.SealedRowAt{Key: bytes.Clone(key), Value: bytes.Clone(value)})
				return nil
			})
		if err != nil {
			return err
		}
		return rd.Scan(journal.Table{Kind: journal.Index, Name: "token"}, journal.Range{}, func([]byte, []byte) error {
			stored++
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	indexer := vault.NewIndexer(r.journal.View, r.keys)
	result, err := indexer.Tokens(ctx, rows)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = r.journal.View(ctx, func(rd journal.Reader) error {
		for i, row := range rows {
			if n := want[journal.ID(row.Key[1:])]; result[i].Problem != "" || len(result[i].Tokens) != n {
				t.Errorf("row %x has %d tokens, want %d, and the problem %q",
					row.Key, len(result[i].Tokens), n, result[i].Problem)
			}
			for _, token := range result[i].Tokens {
				found++
				if to, err := journal.Lookup(rd, token); err != nil || !bytes.Equal(to, row.Key) {
					t.Errorf("a token of row %x leads to %x, error %v", row.Key, to, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found != stored {
		t.Errorf("%d tokens computed, %d stored", found, stored)
	}
	for i := range rows { // each row with the value of another
		exchanged := []journal.SealedRowAt{{Key: rows[i].Key, Value: rows[(i+1)%len(rows)].Value}}
		if result, err := indexer.Tokens(ctx, exchanged); err != nil || result[0].Problem == "" {
			t.Errorf("row %x with another's value: %+v, %v", rows[i].Key, result, err)
		}
	}
}
