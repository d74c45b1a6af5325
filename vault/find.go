package vault

import (
	"errors"
	"fmt"
	"strings"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// ambiguousNamed is how many series an Ambiguous names at most.
const ambiguousNamed = 10

// ErrAmbiguous says that documents of several series have the external id, and that none of them was named.
var ErrAmbiguous = errors.New("documents of several series have the external id")

// Ambiguous names series that have a document with the external id; the principal may describe it in each. It wraps
// ErrAmbiguous.
type Ambiguous struct{ Series []string }

// Error names the series.
func (e *Ambiguous) Error() string { return ErrAmbiguous.Error() + ": " + e.Detail() }

// Detail names the series to the client.
func (e *Ambiguous) Detail() string {
	return "documents of these series have the external id, name one: " + strings.Join(e.Series, ", ")
}

// Unwrap is ErrAmbiguous.
func (e *Ambiguous) Unwrap() error { return ErrAmbiguous }

// withExternalID finds the document with an external id in a series, or in those that the principal may describe. It is
// the zero ID, which is nobody's, where there is none. The series of others are not even looked at.
func withExternalID(r journal.Reader, guard *access.Guard, key keys.Secret, series, externalID string) (journal.ID,
	error) {
	permission, err := guard.Permission(access.Describe)
	if err != nil {
		return journal.ID{}, err
	}
	f := matches{r: r}
	switch {
	case series != "":
		if permission.Covers(access.Scope{Series: series}) {
			err = f.try(externalIDToken(key, series, externalID))
		}
	case permission.All:
		prefix := externalIDPrefix(key, externalID)
		err = journal.LookupAll(r, prefix, func(token, _ []byte) error { return f.try(token) })
	default:
		for _, granted := range seriesIn(permission) {
			if err = f.try(externalIDToken(key, granted, externalID)); err != nil {
				break
			}
		}
	}
	if err != nil {
		return journal.ID{}, err
	}
	if len(f.series) > 1 {
		return journal.ID{}, &Ambiguous{Series: f.series}
	}
	if len(f.series) == 0 {
		return f.erased, nil
	}
	return f.kept, nil
}

// matches are what was found under an external id so far.
type matches struct {
	r      journal.Reader
	kept   journal.ID // the one that is not erased; of several, the last
	series []string   // of those
	erased journal.ID // one that is
}

// try looks for a document under a token.
func (f *matches) try(token []byte) error {
	id, ok, err := resolve(f.r, token)
	if err != nil || !ok {
		return err
	}
	row, ok, err := documents.Get(f.r, id[:])
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("a token leads to no document: %w", journal.ErrDamaged)
	case row.Erased:
		f.erased = id
	case len(f.series) < ambiguousNamed:
		f.kept, f.series = id, append(f.series, row.Series)
	}
	return nil
}
