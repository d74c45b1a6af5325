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

// CreatePrincipal makes a principal with these grants, and its API key.
func (r *Client) CreatePrincipal(ctx context.Context, grants []openapi.Grant) (*openapi.Principal, error) {
	return decode[openapi.Principal](r.acted(r.api.CreatePrincipal(ctx, openapi.NewPrincipal{Grants: grants})))
}

// RevokeKeys revokes every API key of a principal.
func (r *Client) RevokeKeys(ctx context.Context, id string) (*openapi.Revocation, error) {
	return decode[openapi.Revocation](r.acted(r.api.RevokeKeys(ctx, id)))
}
