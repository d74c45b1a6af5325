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
	"muniment/vault/invalid"
	"muniment/vault/keys"
	"muniment/vault/rekey"
	"muniment/vault/seal"
)

// Sizes of a page, in documents.
const (
	DefaultPage = 50
	MaxPage     = 500
)

// maxScan bounds how many rows one page looks at: a filter that fits nothing must not keep a snapshot open for long.
// Such a page is short, with a cursor to go on.
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

// Page is a part of a listing, in the order of deposits. It may hold fewer documents than asked for, even none, before
// the end of the listing.
type Page struct {
	Documents []Document
	Next      string // "": the listing is at its end
}

// List lists documents in the order of their deposits; access.Describe is needed, for the tenant or for some series.
// One event names how many documents' sealed fields were opened, and commits to which. While the journal's disk is
// full, or the key service down, none are opened.
//
// Errors: ErrCursor; ErrNoSeries; invalid.ErrField for a bad state or limit; access.ErrDenied.
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
	l := &listing{v: v, who: who, query: q, nonce: make([]byte, 16)}
	if err := l.start(ctx); err != nil {
		return Page{}, err
	}
	if _, err := io.ReadFull(v.cfg.Rand, l.nonce); err != nil {
		return Page{}, fmt.Errorf("drawing a nonce: %w", err)
	}
	if err := l.choose(ctx); err != nil {
		return Page{}, err
	}
	event := l.event()
	_, err := v.cfg.Door.Commit(ctx, who, func(view journal.View, guard *access.Guard) (journal.Change, error) {
		return journal.Change{Events: event}, l.permit(view, guard)
	})
	if errors.Is(err, journal.ErrFull) {
		l.withhold = ReasonFull
		err = v.cfg.Door.View(ctx, who, l.permit)
	}
	if err != nil {
		return Page{}, err
	}
	return l.page(ctx)
}

func (q *Query) check() error {
	switch {
	case q.State != "" && q.State != Kept && q.State != Erased:
		return &invalid.Field{Name: "state", Reason: "is neither kept nor erased"}
	case q.Limit < 0 || q.Limit > MaxPage:
		return &invalid.Field{Name: "limit", Reason: fmt.Sprintf("is not 1 to %d", MaxPage)}
	case invalid.Series(q.Series) != "":
		return &invalid.Field{Name: "series", Reason: invalid.Series(q.Series)}
	case q.Ledger != nil && refsFault([]LedgerRef{*q.Ledger}) != "":
		return &invalid.Field{Name: "ledger_refs", Reason: refsFault([]LedgerRef{*q.Ledger})}
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
	key   keys.Secret // nil while the key service, which has not been asked for it yet, is down
	after []byte      // the place of the cursor
	nonce []byte

	withhold Reason // nothing is opened; "": all that can be is
	lost     bool   // for one of them at least the key service has the key no more

	chosen []journal.ID
	next   []byte         // the place where the following page begins after; nil at the end
	rows   []document     // of chosen
	held   rekey.Versions // the tenant's key
	sealed [][]byte       // nil for one that is erased, or missing

	disclose access.Permission
}

// start reads the cursor, and finds the tenant's index key.
func (l *listing) start(ctx context.Context) error {
	var err error
	if l.key, err = l.v.indexKey(ctx, l.who.Tenant); keysFail(err) {
		l.v.keysDown(err)
		l.withhold, err = ReasonKeys, nil
	}
	if err == nil && l.query.Cursor != "" {
		l.after, err = l.readCursor()
	}
	return err
}

// readCursor reads the cursor of the page before, whichever key was there to make it with.
func (l *listing) readCursor() ([]byte, error) {
	if l.key != nil {
		after, err := readCursor(l.key, l.who, l.query)
		if !errors.Is(err, ErrCursor) {
			return after, err
		}
	}
	return readCursor(l.v.spareKey, l.who, l.query)
}

// newCursor makes the cursor of the next page. Without the index key it is good for as long as this process lives.
func (l *listing) newCursor() (string, error) {
	if l.key == nil {
		return newCursor(l.v.spareKey, l.who, l.query, l.next)
	}
	return newCursor(l.key, l.who, l.query, l.next)
}

// choose picks the documents of the page from a snapshot, and reads them: hundreds of rows would hold up everybody
// else's commits in decide, which has only to ask whether they may be listed.
func (l *listing) choose(ctx context.Context) error {
	return l.v.cfg.Journal.View(ctx, func(r journal.Reader) error {
		l.chosen, l.rows, l.sealed, l.next = nil, nil, nil, nil
		var err error
		if l.held, err = rekey.VersionsOf(r, l.who.Tenant); err != nil {
			return err
		}
		permission, err := l.v.cfg.Door.Authority().Permission(r, l.who, access.Describe)
		if err != nil || permission.None() {
			return err // decide puts the refusal on record
		}
		index, prefixes, err := l.sources(r, permission)
		if err != nil {
			return err
		}
		var page []listed
		if page, l.next, err = l.merge(r, index, prefixes); err != nil {
			return err
		}
		for _, d := range page {
			sealed, err := sealedOf(r, d.id, d.row)
			if err != nil && !errors.Is(err, errRow) {
				return err
			}
			l.chosen, l.rows, l.sealed = append(l.chosen, d.id), append(l.rows, d.row), append(l.sealed, sealed)
		}
		return nil
	})
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

// event is what goes on record about the listing; none when it opens nothing.
func (l *listing) event() []journal.Event {
	if l.withhold != "" {
		return nil
	}
	var entries []tlog.Hash
	for i, id := range l.chosen {
		if l.sealed[i] != nil {
			salt := keyed(l.key, labelListing, l.nonce, id[:])
			entries = append(entries, tlog.RecordHash(append(salt, id[:]...)))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	root := treeHash(entries)
	return []journal.Event{DocumentsListed.New(journal.ID{},
		DocumentsListedData{Count: len(entries), Root: root[:], Nonce: l.nonce})}
}

// permit asks whether the listing, and each of the chosen documents, is permitted. A document's series does not change,
// so the chosen rows are as good as new ones.
func (l *listing) permit(r journal.Reader, guard *access.Guard) error {
	scope := access.Scope{Series: l.query.Series}
	permission, err := guard.Permission(access.Describe)
	if err == nil && (permission.None() || scope.Series != "" && !permission.Covers(scope)) {
		return guard.Refuse(access.Describe, scope, journal.ID{}, access.ErrDenied)
	}
	if err == nil && scope.Series != "" {
		_, err = l.v.cfg.Rules.File(r, l.who.Tenant, scope.Series)
	}
	if err != nil {
		return err
	}
	for i, id := range l.chosen {
		if scope := (access.Scope{Series: l.rows[i].Series}); !permission.Covers(scope) {
			return guard.Refuse(access.Describe, scope, id, access.ErrDenied)
		}
	}
	l.disclose, err = guard.Permission(access.Disclose)
	return err
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
func (l *listing) page(ctx context.Context) (Page, error) {
	var page Page
	var rows []sealedOne
	var at []int // their places in the page
	for i, id := range l.chosen {
		doc := l.rows[i].public(id)
		doc.ErasedInBackups = l.rows[i].erasedInBackups(l.held)
		switch {
		case doc.State != Kept:
		case l.withhold != "":
			doc.withhold(l.withhold)
		case l.sealed[i] == nil:
			doc.withhold(ReasonDamaged)
			_ = l.v.damage(ctx, l.who, id, errRow)
		default:
			rows = append(rows, sealedOne{id: id, series: l.rows[i].Series, value: l.sealed[i]})
			at = append(at, i)
		}
		page.Documents = append(page.Documents, doc)
	}
	if len(rows) > 0 {
		texts, err := l.v.openAll(ctx, l.who.Tenant, rows)
		if keysFail(err) {
			l.v.keysDown(err)
			for _, place := range at {
				page.Documents[place].withhold(ReasonKeys)
			}
			err = nil
		}
		if err != nil {
			return Page{}, err
		}
		for i, opened := range texts {
			if err := l.fill(ctx, &page.Documents[at[i]], opened); err != nil {
				return Page{}, err
			}
		}
	}
	if l.next == nil {
		return page, nil
	}
	var err error
	page.Next, err = l.newCursor()
	return page, err
}

// fill fills in a document's sealed fields. A sealed row that is not what was recorded raises the alarm; neither it nor
// one that a newer program wrote, or whose version of the tenant's key is gone, spoils another document of the page.
func (l *listing) fill(ctx context.Context, doc *Document, opened opened) error {
	if opened.err == nil {
		opened.text.into(doc, l.disclose.Covers(access.Scope{Series: doc.Series}))
		return nil
	}
	if keysFail(opened.err) {
		if !l.lost { // one line for a page
			l.v.keysDown(opened.err)
		}
		l.lost = true
		doc.withhold(ReasonKeys)
		return nil
	}
	err := l.v.damage(ctx, l.who, doc.ID, opened.err)
	if !errors.Is(err, ErrDamagedContent) && !errors.Is(err, seal.ErrNewer) {
		return err
	}
	doc.withhold(ReasonDamaged)
	if errors.Is(err, seal.ErrNewer) {
		doc.withhold(ReasonNewer)
	}
	return nil
}
