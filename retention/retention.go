// Package retention decides how long a document is kept, and proves that it kept to that. So far it knows record
// series: every document is filed in one, and as no schedule can be approved for them yet, none can be destroyed.
package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/invalid"
)

// DefaultSeries is the code of the series that a tenant begins with. Deposits that name none are filed there.
const DefaultSeries = "default"

// ErrSeriesExists says that the tenant has a series with this code already.
var ErrSeriesExists = errors.New("there is such a series already")

// SeriesCreated says that the tenant of the body has a record series from now on.
const SeriesCreated journal.Type[SeriesCreatedData] = "series.created/1"

// SeriesCreatedData is the data of series.created/1. It is about no document.
type SeriesCreatedData struct {
	Code string `json:"code"`
	// Default says that deposits which name no series are filed here. The first series of a tenant is its default one.
	Default bool `json:"default,omitempty"`
	// Immutable says that documents are filed here only while the store was seen to enforce its locks.
	Immutable bool `json:"immutable,omitempty"`
}

// Series is a record series of a tenant's file plan.
type Series struct {
	Code      string    `json:"code"`
	Default   bool      `json:"default,omitempty"`
	Immutable bool      `json:"immutable,omitempty"`
	Created   time.Time `json:"created"`
}

// series is the projection of series, under tenant, 0, code.
var series = journal.NewRows[Series]("series")

func rowKey(tenant, code string) []byte { return []byte(tenant + "\x00" + code) }

// Definitions are the event types of this package, with their reducers.
func Definitions() []journal.Definition {
	return []journal.Definition{
		SeriesCreated.On(func(w *journal.Writer, e journal.Entry, d SeriesCreatedData) error {
			return series.Put(w, rowKey(e.Tenant, d.Code), Series{
				Code: d.Code, Default: d.Default, Immutable: d.Immutable, Created: e.At,
			})
		}),
	}
}

// Rules answer the vault. They hold no state: all that they say stands in the journal.
type Rules struct{}

var _ vault.Rules = Rules{}

// File says under which rules a document may be filed now: vault.ErrNoSeries when the tenant has no such series. Every
// series is unscheduled, so no date is known from which a document may be destroyed.
func (Rules) File(r journal.Reader, tenant, code string) (vault.Filing, error) {
	if code == "" {
		code = DefaultSeries
	}
	row, ok, err := series.Get(r, rowKey(tenant, code))
	if err != nil {
		return vault.Filing{}, fmt.Errorf("looking up a series: %w", err)
	}
	if !ok {
		return vault.Filing{}, vault.ErrNoSeries
	}
	return vault.Filing{Series: row.Code, Immutable: row.Immutable}, nil
}

// HasSeries says whether a tenant has a series: vault.ErrNoSeries if not.
func HasSeries(r journal.Reader, tenant, code string) error {
	_, err := Rules{}.File(r, tenant, code)
	return err
}

// NewTenant returns the event that gives a new tenant its default series.
func (Rules) NewTenant() []journal.Event {
	return []journal.Event{SeriesCreated.New(journal.ID{}, SeriesCreatedData{Code: DefaultSeries, Default: true})}
}

// NewSeries is a series to be created.
type NewSeries struct {
	// Code is 1 to 64 of [a-z0-9._-] with a letter or digit first. It stands in bodies: it must name no person.
	Code string
	// Immutable demands a store that enforces its locks: see [vault.Filing]. It cannot be changed afterwards.
	Immutable bool
}

// CreateSeries adds a series to the tenant's file plan; access.ManageFile is needed for the whole tenant.
//
// Errors: a *invalid.Field, ErrSeriesExists, access.ErrDenied.
func CreateSeries(ctx context.Context, door *access.Door, who access.Who, wanted NewSeries) (Series, error) {
	created := Series{Code: wanted.Code, Immutable: wanted.Immutable}
	_, err := door.Act(ctx, who, access.ManageFile, func(view journal.View) (journal.Change, error) {
		if !invalid.ValidSeries(wanted.Code) { // after the permission, so that an act without it is always on record
			reason := "is not 1 to 64 of [a-z0-9._-] with a letter or digit first"
			return journal.Change{}, &invalid.Field{Name: "code", Reason: reason}
		}
		_, ok, err := series.Get(view, rowKey(who.Tenant, wanted.Code))
		if err != nil {
			return journal.Change{}, err
		}
		if ok {
			return journal.Change{}, ErrSeriesExists
		}
		created.Created = view.Now()
		event := SeriesCreated.New(journal.ID{}, SeriesCreatedData{Code: wanted.Code, Immutable: wanted.Immutable})
		return journal.Change{Events: []journal.Event{event}}, nil
	})
	if err != nil {
		return Series{}, fmt.Errorf("creating a series: %w", err)
	}
	return created, nil
}

// ListSeries returns the series of who's tenant in the order of their codes; access.ViewFile is needed for the whole
// tenant.
func ListSeries(ctx context.Context, door *access.Door, who access.Who) ([]Series, error) {
	var out []Series
	err := door.Look(ctx, who, func(r journal.Reader, guard *access.Guard) error {
		if err := guard.Authorize(access.ViewFile, access.Scope{}, journal.ID{}); err != nil {
			return err
		}
		out = nil
		return series.Scan(r, journal.Prefix(rowKey(who.Tenant, "")), func(_ []byte, s Series) error {
			out = append(out, s)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing series: %w", err)
	}
	return out, nil
}
