package remote

import (
	"context"

	"muniment/openapi"
)

// CreateSeries adds a record series to the file plan.
func (r *Client) CreateSeries(ctx context.Context, wanted openapi.NewSeries) (*openapi.Series, error) {
	return decode[openapi.Series](r.body(r.api.CreateSeries(ctx, wanted)))
}

// Series are the tenant's record series.
func (r *Client) Series(ctx context.Context) (*openapi.SeriesList, error) {
	return decode[openapi.SeriesList](r.body(r.api.ListSeries(ctx)))
}

// Purposes are what the tenant's documents may be read for.
func (r *Client) Purposes(ctx context.Context) (*openapi.PurposeList, error) {
	return decode[openapi.PurposeList](r.body(r.api.ListPurposes(ctx)))
}

// SetPurposes replaces what the tenant's documents may be read for; with no code that is any purpose.
func (r *Client) SetPurposes(ctx context.Context, codes []string) (*openapi.PurposeList, error) {
	return decode[openapi.PurposeList](r.body(r.api.SetPurposes(ctx,
		openapi.PurposeList{Purposes: append([]string{}, codes...)})))
}
