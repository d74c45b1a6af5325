package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// Sizes of a page, in documents.
const (
	DefaultPage = 50
	MaxPage     = 500
)

// maxScan bounds how many rows one page looks at: a filter that fits nothing must not keep a snapshot open for long. Such a
// page is short, with a cursor to go on.
const maxScan = 10_000

// Query says which documents to list.
type Query struct {
	Series string     // "": all that the principal may describe
	State  string     // Kept, Erased or "" for both
	Ledger *LedgerRef // by chain and transaction
	After  time.Time  // deposited at or after; zero for no limit
	Before time.Time  // deposited before; zero for no limit
	Cursor string     // Page.Next of the page before; "" for the first
	Limit  int        // of documents in a page, 1 to MaxPage; 0 means DefaultPage
}

// Page is a part of a listing, in the order of deposits. It may hold fewer documents than asked for, even none, before the
// end of the listing.
type Page struct {
	Documents []Document
	Next      string // "": the listing is at its end
}

// List lists documents in the order of their deposits; access.Describe is needed, for the tenant or for some series. One
// event names how many documents' sealed fields were opened, and commits to which.
//
// Errors: ErrCursor; ErrNoSeries; ErrMetadata for a bad state or limit; access.ErrDenied.
func (v *Vault) List(ctx context.Context, who access.Who, q Query) (Page, error) {
	page, err := v.list(ctx, who, &q)
	if err != nil {
		return Page{}, fmt.Errorf("listing documents: %w", err)
	}
	return page, nil
}

func (v *Vault) list(ctx context.Context, who access.Who, q *Query) (Page, error) {
	if err := q.check(); err != nil {
		return Page{}, err
	}
	key, err := v.indexKey(ctx, who.Tenant)
	if err != nil {
		return Page{}, err
	}
	l := &listing{v: v, who: who, query: q, key: key, nonce: make([]byte, 16)}
	if q.Cursor != "" {
		if l.after, err = readCursor(key, who, q); err != nil {
			return Page{}, err
		}
	}
	if _, err := io.ReadFull(v.cfg.Rand, l.nonce); err != nil {
		return Page{}, fmt.Errorf("drawing a nonce: %w", err)
	}
	if err := l.choose(ctx); err != nil {
		return Page{}, err
	}
	_, err = v.cfg.Journal.Commit(ctx, who.Actor(), l.decide)
	withheld := errors.Is(err, journal.ErrFull)
	if withheld {
		err = v.cfg.Journal.View(ctx, func(r journal.Reader) error {
			_, err := l.take(r)
			return err
		})
	}
	if err != nil {
		return Page{}, err
	}
	return l.page(ctx, withheld)
}

func (q *Query) check() error {
	switch {
	case q.State != "" && q.State != Kept && q.State != Erased:
		return &MetadataError{Field: "state", Reason: "is neither kept nor erased"}
	case q.Limit < 0 || q.Limit > MaxPage:
		return &MetadataError{Field: "limit", Reason: fmt.Sprintf("is not 1 to %d", MaxPage)}
	case seriesFault(q.Series) != "":
		return &MetadataError{Field: "series", Reason: seriesFault(q.Series)}
	case q.Ledger != nil && refsFault([]LedgerRef{*q.Ledger}) != "":
		return &MetadataError{Field: "ledger_refs", Reason: refsFault([]LedgerRef{*q.Ledger})}
	}
	if q.Limit == 0 {
		q.Limit = DefaultPage
	}
	return nil
}

// listing is one page on its way.
type listing struct {
	v     *Vault
	who   access.Who
	query *Query
	key   keys.Secret
	after []byte // the place of the cursor
	nonce []byte

	chosen []journal.ID
	next   []byte // the place where the following page begins after; nil at the end

	rows   []document // of chosen
	sealed [][]byte
}

// choose picks the documents of the page from a snapshot.
func (l *listing) choose(ctx context.Context) error {
	return l.v.cfg.Journal.View(ctx, func(r journal.Reader) error {
		l.chosen, l.next = nil, nil
		permission, err := access.PermissionFor(r, l.who, access.Describe)
		if err != nil || permission.None() {
			return err // decide puts the refusal on record
		}
		index, prefix := l.index()
		scanned, more := 0, false
		err = documents.ScanBy(r, index, l.bounds(prefix), func(_, key []byte, d document) error {
			if more = len(l.chosen) == l.query.Limit || scanned == maxScan; more {
				return journal.Stop
			}
			scanned++
			l.next = d.place()
			if l.query.fits(d) && permission.Covers(access.Scope{Series: d.Series}) {
				l.chosen = append(l.chosen, journal.ID(key))
			}
			return nil
		})
		if !more {
			l.next = nil
		}
		return err
	})
}

// index names the index that suits the query, and the prefix in it.
func (l *listing) index() (string, []byte) {
	switch q := l.query; {
	case q.Ledger != nil:
		return "ledger", ledgerPrefix(l.who.Tenant, q.Ledger.Chain, q.Ledger.Transaction)
	case q.Series != "":
		return "series", seriesPrefix(l.who.Tenant, q.Series)
	default:
		return "order", orderPrefix(l.who.Tenant)
	}
}

// bounds is the range of the index from the cursor, or the earliest time, to the latest.
func (l *listing) bounds(prefix []byte) journal.Range {
	rg := journal.Prefix(prefix)
	if !l.query.After.IsZero() {
		rg.From = append(bytes.Clone(prefix), placeOf(ceilMicro(l.query.After), 0)...)
	}
	if !l.query.Before.IsZero() {
		rg.To = append(bytes.Clone(prefix), placeOf(ceilMicro(l.query.Before), 0)...)
	}
	if l.after != nil {
		// 17 bytes of 0xff follow no id: the range begins after every row of that place.
		past := append(append(bytes.Clone(prefix), l.after...), bytes.Repeat([]byte{0xff}, 17)...)
		if bytes.Compare(past, rg.From) > 0 {
			rg.From = past
		}
	}
	if rg.To != nil && bytes.Compare(rg.From, rg.To) > 0 {
		rg.From = rg.To
	}
	return rg
}

// ceilMicro is a time in microseconds since 1970, rounded up; times before 1970 count as 1970.
func ceilMicro(t time.Time) int64 {
	micros := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		micros++
	}
	return max(micros, 0)
}

func (q *Query) fits(d document) bool {
	return (q.Series == "" || q.Series == d.Series) && (q.State == "" || (q.State == Erased) == d.Erased)
}

// decide looks at the chosen documents again and puts their listing on record.
func (l *listing) decide(view journal.View) (journal.Change, error) {
	change, err := l.take(view)
	if err != nil {
		return change, err
	}
	var entries []tlog.Hash
	for i, id := range l.chosen {
		if l.sealed[i] != nil {
			salt := keyed(l.key, labelListing, l.nonce, id[:])
			entries = append(entries, tlog.RecordHash(append(salt, id[:]...)))
		}
	}
	if len(entries) == 0 {
		return journal.Change{}, nil
	}
	root := treeHash(entries)
	data := DocumentsListedData{Count: len(entries), Root: root[:], Nonce: l.nonce}
	return journal.Change{Events: []journal.Event{DocumentsListed.New(journal.ID{}, data)}}, nil
}

// take reads the chosen documents as they stand now, and checks the permission for each again.
func (l *listing) take(r journal.Reader) (journal.Change, error) {
	l.rows, l.sealed = nil, nil
	scope := access.Scope{Series: l.query.Series}
	permission, err := access.PermissionFor(r, l.who, access.Describe)
	if err == nil && (permission.None() || scope.Series != "" && !permission.Covers(scope)) {
		return journal.Change{Events: []journal.Event{access.Denial(access.Describe, scope, journal.ID{})}}, access.ErrDenied
	}
	if err == nil && scope.Series != "" {
		_, err = l.v.cfg.Rules.File(r, l.who.Tenant, scope.Series)
	}
	if err != nil {
		return journal.Change{}, err
	}
	for _, id := range l.chosen {
		row, sealed, err := stored(r, id)
		if err != nil {
			return journal.Change{}, err
		}
		if scope := (access.Scope{Series: row.Series}); !permission.Covers(scope) {
			return journal.Change{Events: []journal.Event{access.Denial(access.Describe, scope, id)}}, access.ErrDenied
		}
		l.rows, l.sealed = append(l.rows, row), append(l.sealed, sealed)
	}
	return journal.Change{}, nil
}

// treeHash is the Merkle tree hash of RFC 6962, section 2.1, over leaf hashes.
func treeHash(leaves []tlog.Hash) tlog.Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	split := 1
	for split*2 < len(leaves) {
		split *= 2
	}
	return tlog.NodeHash(treeHash(leaves[:split]), treeHash(leaves[split:]))
}

// page opens the sealed rows in one batch and writes the page.
func (l *listing) page(ctx context.Context, withheld bool) (Page, error) {
	var page Page
	var ids []journal.ID
	var values [][]byte
	for i, id := range l.chosen {
		doc := l.rows[i].public(id)
		doc.Withheld = withheld && doc.State == Kept
		page.Documents = append(page.Documents, doc)
		if doc.State == Kept && !withheld {
			ids, values = append(ids, id), append(values, l.sealed[i])
		}
	}
	if len(ids) > 0 {
		texts, err := l.v.openAll(ctx, l.who.Tenant, ids, values)
		if err != nil {
			return Page{}, err
		}
		for i := range page.Documents {
			if page.Documents[i].State == Kept {
				texts[0].text.into(&page.Documents[i])
				texts = texts[1:]
			}
		}
	}
	if l.next == nil {
		return page, nil
	}
	var err error
	page.Next, err = newCursor(l.key, l.who, l.query, l.next)
	return page, err
}
