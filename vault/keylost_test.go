package vault_test

import (
	"context"
	"testing"

	"muniment/vault"
	"muniment/vault/keys"
)

// A document whose version of the tenant's key was destroyed or retired behind our back spoils no other's listing, and
// is described without what cannot be opened.
func TestKeyVersionLost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	lost := l.deposit(vault.Deposit{Title: "lost"}, []byte("x"))
	l.rotate()
	kept := l.deposit(vault.Deposit{Title: "kept"}, []byte("y"))
	l.must(l.house.custodian.Trim(ctx, l.tenant, 2))
	page, err := l.vault.List(ctx, l.who, vault.Query{})
	l.must(err)
	found := map[string]vault.Document{}
	for _, doc := range page.Documents {
		found[doc.ID.String()] = doc
	}
	if doc := found[kept.ID.String()]; doc.Title != "kept" || doc.Withheld {
		t.Errorf("beside it, the other is listed as %+v", doc)
	}
	if doc := found[lost.ID.String()]; doc.Title != "" || doc.WithheldBecause != vault.ReasonKeys {
		t.Errorf("it is listed as %+v", doc)
	}
	doc, err := l.vault.Describe(ctx, l.who, lost.ID)
	l.must(err)
	if doc.Size != 1 || doc.WithheldBecause != vault.ReasonKeys {
		t.Errorf("it is described as %+v", doc)
	}
	_, err = l.read(lost.ID)
	l.wants("reading it", err, keys.ErrNoKey)
}
