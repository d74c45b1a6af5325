package vault_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/invalid"
)

// listAll follows the cursors to the end.
func (r *rig) listAll(who access.Who, q vault.Query) (titles []string, pages int) {
	r.t.Helper()
	for {
		page, err := r.vault.List(context.Background(), who, q)
		if err != nil {
			r.t.Fatal(err)
		}
		pages++
		for _, d := range page.Documents {
			titles = append(titles, d.Title)
		}
		if page.Next == "" {
			return titles, pages
		}
		q.Cursor = page.Next
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("a")
	r.series("b")
	start := r.clock.Now()
	ref := vault.LedgerRef{Chain: "eip155:1", Transaction: "0xabc", Role: "invoice"}
	for i := range 12 {
		d := vault.Deposit{Title: fmt.Sprint(i), Series: []string{"a", "b"}[i%2]}
		if i%3 == 0 {
			d.LedgerRefs = []vault.LedgerRef{ref}
		}
		r.deposit(d, []byte("content"))
		r.clock.Advance(time.Minute)
	}
	onlyB := r.principal(access.Grant{Role: access.ReaderRole, Series: "b"})
	for _, test := range []struct {
		name string
		who  access.Who
		q    vault.Query
		want []string
	}{
		{"all", r.who, vault.Query{}, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}},
		{"series", r.who, vault.Query{Series: "a"}, []string{"0", "2", "4", "6", "8", "10"}},
		{"ledger", r.who, vault.Query{Ledger: &ref}, []string{"0", "3", "6", "9"}},
		{"ledger and series", r.who, vault.Query{Ledger: &ref, Series: "b"}, []string{"3", "9"}},
		{"another transaction", r.who, vault.Query{Ledger: &vault.LedgerRef{Chain: "eip155:1", Transaction: "0xab"}},
			nil},
		{"after", r.who, vault.Query{After: start.Add(9 * time.Minute)}, []string{"9", "10", "11"}},
		{"just after", r.who, vault.Query{After: start.Add(9*time.Minute + 1)}, []string{"10", "11"}},
		{"before", r.who, vault.Query{Before: start.Add(2 * time.Minute)}, []string{"0", "1"}},
		{"between", r.who, vault.Query{After: start.Add(time.Minute), Before: start.Add(3 * time.Minute), Series: "b"},
			[]string{"1"}},
		{"after the end, before the start", r.who, vault.Query{After: start.Add(time.Hour), Before: start}, nil},
		{"erased", r.who, vault.Query{State: vault.Erased}, nil},
		{"kept", r.who, vault.Query{State: vault.Kept, Series: "b"}, []string{"1", "3", "5", "7", "9", "11"}},
		{"one series permitted", onlyB, vault.Query{}, []string{"1", "3", "5", "7", "9", "11"}},
	} {
		for _, limit := range []int{0, 1, 5, 6, 12} {
			test.q.Limit = limit
			got, pages := r.listAll(test.who, test.q)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s, by %d (-want +got):\n%s", test.name, limit, diff)
			}
			if want := max(1, (len(test.want)+limit-1)/max(limit, 1)); limit > 0 && test.who == r.who &&
				test.name != "ledger and series" && pages != want {
				t.Errorf("%s, by %d: %d pages, want %d", test.name, limit, pages, want)
			}
		}
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("a")
	for range 3 {
		r.deposit(vault.Deposit{}, []byte("content"))
	}
	ctx := context.Background()
	page, err := r.vault.List(ctx, r.who, vault.Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	other := r.principal(access.Grant{Role: access.ReaderRole})
	onlyA := r.principal(access.Grant{Role: access.ReaderRole, Series: "a"})
	depositor := r.principal(access.Grant{Role: access.Depositor})
	flipped := func(i int) string {
		raw, err := base64.RawURLEncoding.DecodeString(page.Next)
		if err != nil {
			t.Fatal(err)
		}
		raw[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	for _, test := range []struct {
		name string
		who  access.Who
		q    vault.Query
		want error
	}{
		{"no cursor", r.who, vault.Query{Cursor: "x"}, vault.ErrCursor},
		{"forged place", r.who, vault.Query{Cursor: flipped(0)}, vault.ErrCursor},
		{"forged authentication", r.who, vault.Query{Cursor: flipped(31)}, vault.ErrCursor},
		{"longer", r.who, vault.Query{Cursor: page.Next + "AA"}, vault.ErrCursor},
		{"another principal's", other, vault.Query{Cursor: page.Next}, vault.ErrCursor},
		{"another query's", r.who, vault.Query{Cursor: page.Next, Series: "default"}, vault.ErrCursor},
		{"state", r.who, vault.Query{State: "gone"}, invalid.ErrField},
		{"limit", r.who, vault.Query{Limit: vault.MaxPage + 1}, invalid.ErrField},
		{"series", r.who, vault.Query{Series: "nowhere"}, vault.ErrNoSeries},
		{"depositor", depositor, vault.Query{}, access.ErrDenied},
		{"another series", onlyA, vault.Query{Series: "default"}, access.ErrDenied},
	} {
		if _, err := r.vault.List(ctx, test.who, test.q); !errors.Is(err, test.want) {
			t.Errorf("%s: got error %v, want %v", test.name, err, test.want)
		}
		if errors.Is(test.want, access.ErrDenied) {
			if rec := r.records()[len(r.records())-1]; rec.Type != "access.denied/1" {
				t.Errorf("%s: the last event is %s", test.name, rec.Type)
			}
		}
	}
	if _, err := r.vault.List(ctx, r.who, vault.Query{Cursor: page.Next, Limit: 2}); err != nil {
		t.Errorf("the cursor with another limit: %v", err)
	}
}

func TestListRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 3 {
		r.deposit(vault.Deposit{}, []byte("content"))
	}
	roots := map[string]bool{}
	for range 2 {
		if _, err := r.vault.List(context.Background(), r.who, vault.Query{}); err != nil {
			t.Fatal(err)
		}
		rec, _ := r.last("documents.listed/1")
		var d vault.DocumentsListedData
		if err := json.Unmarshal(rec.Data, &d); err != nil {
			t.Fatal(err)
		}
		if d.Count != 3 || len(d.Root) != 32 || !rec.Doc.IsZero() {
			t.Errorf("on record is %s", rec.Body)
		}
		roots[string(d.Root)] = true
	}
	if len(roots) != 2 {
		t.Error("the same listing has the same root: it could be guessed")
	}
	before := r.journal.Size()
	if _, err := r.vault.List(context.Background(), r.who, vault.Query{State: vault.Erased}); err != nil ||
		r.journal.Size() != before {
		t.Errorf("a listing that opens nothing: error %v, %d events", err, r.journal.Size()-before)
	}
}

func TestDescribeAndFind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	done := r.deposit(vault.Deposit{ExternalID: "a/b?c", Title: "T"}, []byte("content"))
	ctx := context.Background()
	found, err := r.vault.Find(ctx, r.who, "", "a/b?c")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(done.Document, found); diff != "" {
		t.Errorf("found otherwise than deposited (-deposited +found):\n%s", diff)
	}
	rec, n := r.last("document.described/1")
	if n != 1 || rec.Doc != done.ID || string(rec.Data) != "{}" {
		t.Errorf("on record: %s", rec.Body)
	}
	for _, id := range []string{"", "a", "a/b?c ", "\x00"} {
		if _, err := r.vault.Find(ctx, r.who, "", id); !errors.Is(err, vault.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := r.vault.Describe(ctx, r.who, journal.ID{6: 0x70, 8: 0x80}); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
	// Who may describe nothing learns nothing: the answer is the same whether there is such a document or not.
	who := r.principal(access.Grant{Role: access.Depositor})
	for _, id := range []string{"a/b?c", "nothing"} {
		if _, err := r.vault.Find(ctx, who, "", id); !errors.Is(err, access.ErrDenied) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// story is the newest part of a document's history, oldest first.
func (r *rig) story(id journal.ID) ([]journal.Record, error) {
	page, err := r.vault.History(context.Background(), r.who, id, 0, vault.MaxHistory)
	slices.Reverse(page.Records)
	return page.Records, err
}

// TestHistoryPages: a history comes in pages, newest first, and what is no event of the document begins none.
func TestHistoryPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	done, other := r.deposit(vault.Deposit{}, []byte("x")), r.deposit(vault.Deposit{}, []byte("y"))
	for i := range 5 {
		if err := vault.RecordRead(ctx, r.vault, r.who, done.ID, fmt.Sprintf("purpose-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	var types []string
	for before := uint64(0); ; {
		page, err := r.vault.History(ctx, r.who, done.ID, before, 4)
		if err != nil || len(page.Records) > 4 {
			t.Fatalf("%d events in a page of four, %v", len(page.Records), err)
		}
		for _, rec := range page.Records {
			types = append(types, rec.Type)
		}
		if before = page.Next; before == 0 {
			break
		}
	}
	if len(types) != 6 || types[5] != string(vault.DocumentDeposited) {
		t.Errorf("the pages have %v", types)
	}
	if _, err := r.vault.History(ctx, r.who, done.ID, other.Receipt.Index, 4); !errors.Is(err, vault.ErrCursor) {
		t.Errorf("from another document's event: %v", err)
	}
	for _, limit := range []int{0, -1, vault.MaxHistory + 1} {
		if _, err := r.vault.History(ctx, r.who, done.ID, 0, limit); !errors.Is(err, invalid.ErrField) {
			t.Errorf("a page of %d: %v", limit, err)
		}
	}
}

func TestConsulted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	done := r.deposit(vault.Deposit{}, []byte("content"))
	ctx := context.Background()
	consult := func() {
		t.Helper()
		story, err := r.story(done.ID)
		if err != nil || len(story) != 1 || story[0].Index != done.Receipt.Index {
			t.Errorf("history: %d records, %v", len(story), err)
		}
		var feed []journal.Record
		for after := uint64(0); ; {
			part, err := r.vault.Feed(ctx, r.who, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(part) == 0 {
				break
			}
			feed, after = append(feed, part...), part[len(part)-1].Seq
		}
		for i, rec := range feed {
			if rec.Seq != uint64(i)+1 || rec.Tenant != vault.DefaultTenant {
				t.Errorf("feed: record %d is number %d of %s", i, rec.Seq, rec.Tenant)
			}
		}
	}
	news := r.journal.LastNews()
	consult()
	consult()
	if n := r.count("journal.consulted/1"); n != 2 {
		t.Errorf("%d events for one hour, want one for the feed and one for the history", n)
	}
	if r.journal.LastNews() != news {
		t.Error("consulting the journal is news")
	}
	r.clock.Advance(time.Hour)
	consult()
	if n := r.count("journal.consulted/1"); n != 4 {
		t.Errorf("%d events for two hours, want 4", n)
	}
	who := r.principal(access.Grant{Role: access.ReaderRole})
	if _, err := r.vault.Feed(ctx, who, 0, 10); !errors.Is(err, access.ErrDenied) {
		t.Errorf("the feed for a reader: %v", err)
	}
	if _, err := r.vault.Feed(ctx, r.who, 0, 0); !errors.Is(err, invalid.ErrField) {
		t.Errorf("a feed of nothing: %v", err)
	}
}
