package vault_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"muniment/vault"
	"muniment/vault/access"
)

// TestExternalIDsOfSeries: each series has external ids of its own. A document is found in the series that is named, or
// in those that the principal may describe; of several that have it, the one that is not erased is meant.
func TestExternalIDsOfSeries(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *rig, c *vault.Config) { c.Rules = letting{} })
	r.series("a")
	r.series("b")
	ctx := context.Background()
	inA := r.deposit(vault.Deposit{ExternalID: "x", Series: "a"}, []byte("in a"))
	inB := r.deposit(vault.Deposit{ExternalID: "x", Series: "b"}, []byte("in b"))
	if !inA.Created || !inB.Created {
		t.Fatal("an external id of one series was taken in another")
	}
	readerOf := func(series ...string) access.Who {
		var grants []access.Grant
		for _, s := range series {
			grants = append(grants, access.Grant{Role: access.ReaderRole, Series: s})
		}
		return r.principal(grants...)
	}
	ofA, ofBoth, ofDefault := readerOf("a"), readerOf("a", "b"), readerOf("default")
	find := func(name string, who access.Who, series string, want vault.Deposited, wrong error) {
		t.Helper()
		doc, err := r.vault.Find(ctx, who, series, "x")
		if !errors.Is(err, wrong) || (err == nil) != (wrong == nil) || err == nil && doc.ID != want.ID {
			t.Errorf("%s: %s, %v", name, doc.ID, err)
		}
	}
	none := vault.Deposited{}
	find("of a", ofA, "", inA, nil)
	find("of a, in a", ofA, "a", inA, nil)
	find("of a, in b", ofA, "b", none, vault.ErrNotFound)
	find("of another", ofDefault, "", none, vault.ErrNotFound)
	find("of both, in b", ofBoth, "b", inB, nil)
	find("of all, in b", r.who, "b", inB, nil)
	for name, who := range map[string]access.Who{"of both": ofBoth, "of all": r.who} {
		_, err := r.vault.Find(ctx, who, "", "x")
		several := new(vault.Ambiguous)
		if !errors.As(err, &several) || !slices.Equal(several.Series, []string{"a", "b"}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.vault.Erase(ctx, r.who, inA.ID, vault.EraseRequest{Authority: "order-1"}); err != nil {
		t.Fatal(err)
	}
	find("of a, erased", ofA, "", none, vault.ErrErased)
	find("of another, erased", ofDefault, "", none, vault.ErrNotFound)
	find("of both, one erased", ofBoth, "", inB, nil)
	find("of both, in a", ofBoth, "a", none, vault.ErrErased)
	_, err := r.vault.Deposit(ctx, r.who, vault.Deposit{ExternalID: "x", Series: "a"})
	if !errors.Is(err, vault.ErrErased) {
		t.Errorf("depositing under an external id that was erased: %v", err)
	}
	depositor := r.principal(access.Grant{Role: access.Depositor, Series: "default"})
	out, err := r.vault.Deposit(ctx, depositor, vault.Deposit{ExternalID: "x"})
	if err != nil || !out.Created {
		t.Errorf("depositing under it into another series: %v", err)
	}
}

// TestIdempotencyKeyOfAnotherSeries: a key that was used in another series was used for another request, and nothing
// else is said, whatever has become of the document.
func TestIdempotencyKeyOfAnotherSeries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("a")
	ctx := context.Background()
	r.deposit(vault.Deposit{IdempotencyKey: "k", Series: "a"}, []byte("x"))
	size := r.journal.Size()
	source := &countingReader{Reader: strings.NewReader("x")}
	_, err := r.vault.Deposit(ctx, r.who, vault.Deposit{IdempotencyKey: "k", Length: 1, Content: source})
	if !errors.Is(err, vault.ErrIdempotency) || source.n > 0 || r.journal.Size() != size {
		t.Errorf("%v after %d bytes, with %d events", err, source.n, r.journal.Size()-size)
	}
}

// TestListingsTellNothingOfOtherSeries: a page of a principal of one series is as long, and ends as it would, if the
// documents of others were not there, among them those that support the same transaction.
func TestListingsTellNothingOfOtherSeries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("a")
	r.series("b")
	ref := vault.LedgerRef{Chain: "eip155:1", Transaction: "0xabc"}
	put := func(series string) vault.Deposited {
		return r.deposit(vault.Deposit{Series: series, LedgerRefs: []vault.LedgerRef{ref}}, []byte(series))
	}
	first := put("a")
	put("b")
	second := put("a")
	put("b")
	reader := r.principal(access.Grant{Role: access.ReaderRole, Series: "a"},
		access.Grant{Role: access.RecordsOfficer, Series: "a"})
	both := r.principal(access.Grant{Role: access.ReaderRole, Series: "a"},
		access.Grant{Role: access.ReaderRole, Series: "b"})
	for name, ledger := range map[string]*vault.LedgerRef{"all": nil, "of a transaction": &ref} {
		page, err := r.vault.List(t.Context(), reader, vault.Query{Ledger: ledger, Limit: 2})
		if err != nil || len(page.Documents) != 2 || page.Next != "" || page.Documents[0].ID != first.ID ||
			page.Documents[1].ID != second.ID {
			t.Errorf("%s: %d documents, then %q, %v", name, len(page.Documents), page.Next, err)
		}
		for who, want := range map[access.Who]int{reader: 2, both: 4, r.who: 4} {
			for limit := range 5 {
				titles, pages := 0, 0
				q := vault.Query{Ledger: ledger, Limit: limit + 1}
				for last := uint64(0); ; pages++ {
					page, err := r.vault.List(t.Context(), who, q)
					if err != nil {
						t.Fatal(err)
					}
					for _, d := range page.Documents {
						if titles++; d.Index <= last {
							t.Errorf("%s: out of order", name)
						}
						last = d.Index
					}
					if q.Cursor = page.Next; q.Cursor == "" {
						break
					}
				}
				if titles != want || pages != (want-1)/(limit+1) {
					t.Errorf("%s, %d at a time: %d documents in %d pages, want %d", name, limit+1, titles, pages+1,
						want)
				}
			}
		}
	}
}
