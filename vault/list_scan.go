package vault

import (
	"bytes"
	"fmt"
	"slices"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// seriesIn are the series in which an act is permitted, each once, in order.
func seriesIn(p access.Permission) []string {
	return slices.Compact(slices.Sorted(slices.Values(p.Series)))
}

// sources names the index that suits the query, and the prefixes in it under which the documents lie that the principal
// may see. Others are never looked at, so neither a page's length, nor its cursor, nor the time that it takes, tells of
// them.
func (l *listing) sources(r journal.Reader, permission access.Permission) (index string, prefixes [][]byte, err error) {
	q := l.query
	within := seriesIn(permission)
	if q.Series != "" {
		within = nil
		if permission.Covers(access.Scope{Series: q.Series}) {
			within = []string{q.Series}
		}
	}
	index = "series"
	prefix := func(series string) []byte { return seriesPrefix(l.who.Tenant, series) }
	if q.Ledger != nil {
		index = "ledger"
		ref := ledgerPrefix(l.who.Tenant, q.Ledger.Chain, q.Ledger.Transaction)
		prefix = func(series string) []byte { return append(bytes.Clone(ref), join(series)...) }
		if q.Series == "" && permission.All {
			within, err = seriesBelow(r, ref)
		}
	} else if q.Series == "" && permission.All {
		return "order", [][]byte{orderPrefix(l.who.Tenant)}, nil
	}
	for _, series := range within {
		prefixes = append(prefixes, prefix(series))
	}
	return index, prefixes, err
}

// seriesBelow are the series that have a document under a prefix of the ledger index.
func seriesBelow(r journal.Reader, prefix []byte) (found []string, err error) {
	rg := journal.Prefix(prefix)
	for {
		more := false
		err := documents.ScanBy(r, "ledger", rg, func(_, _ []byte, d document) error {
			found, more = append(found, d.Series), true
			return journal.Stop
		})
		if err != nil || !more {
			return found, err
		}
		// A code ends with a zero byte in the index, so this follows all of its rows.
		rg.From = append(append(bytes.Clone(prefix), found[len(found)-1]...), 1)
	}
}

// listed is a document of a listing.
type listed struct {
	id  journal.ID
	row document
}

// scan reads the documents of one source that fit the query: one more than a page has, at most. It returns the place
// where it has stopped; nil at the end of the source.
func (l *listing) scan(r journal.Reader, index string, prefix []byte, budget int) (found []listed, stopped []byte,
	err error) {
	var last []byte
	scanned := 0
	err = documents.ScanBy(r, index, l.bounds(prefix), func(_, key []byte, d document) error {
		if len(found) > l.query.Limit || scanned == budget {
			stopped = last
			return journal.Stop
		}
		scanned++
		last = d.place()
		if d.Tenant != l.who.Tenant {
			return fmt.Errorf("an index leads to another tenant's document: %w", journal.ErrDamaged)
		}
		if l.query.fits(d) {
			found = append(found, listed{id: journal.ID(key), row: d})
		}
		return nil
	})
	return found, stopped, err
}

// merge reads the sources, and returns the documents of the page in the order of deposits, and the place where the
// following page begins after; nil at the end.
func (l *listing) merge(r journal.Reader, index string, prefixes [][]byte) (page []listed, next []byte, err error) {
	if len(prefixes) == 0 {
		return nil, nil, nil
	}
	budget := max(maxScan/len(prefixes), l.query.Limit+1)
	for _, prefix := range prefixes {
		found, stopped, err := l.scan(r, index, prefix, budget)
		if err != nil {
			return nil, nil, err
		}
		page = append(page, found...)
		if stopped != nil && (next == nil || bytes.Compare(stopped, next) < 0) {
			next = stopped
		}
	}
	slices.SortFunc(page, func(a, b listed) int { return bytes.Compare(a.row.place(), b.row.place()) })
	// Beyond the place where a source has stopped there may be others of its documents.
	beyond := func(d listed) bool { return next != nil && bytes.Compare(d.row.place(), next) > 0 }
	if at := slices.IndexFunc(page, beyond); at >= 0 {
		page = page[:at]
	}
	if len(page) > l.query.Limit {
		page = page[:l.query.Limit]
		next = page[len(page)-1].row.place()
	}
	return page, next, nil
}
