package main

import (
	"context"

	"muniment/openapi"
)

// createSeries adds a record series to the file plan.
func (r *remote) createSeries(ctx context.Context, wanted openapi.NewSeries) (*openapi.Series, error) {
	return decode[openapi.Series](r.body(r.api.CreateSeries(ctx, wanted)))
}

// series are the tenant's record series.
func (r *remote) series(ctx context.Context) (*openapi.SeriesList, error) {
	return decode[openapi.SeriesList](r.body(r.api.ListSeries(ctx)))
}

// createPrincipal makes a principal with these grants, and its API key.
func (r *remote) createPrincipal(ctx context.Context, grants []openapi.Grant) (*openapi.Principal, error) {
	return decode[openapi.Principal](r.body(r.api.CreatePrincipal(ctx, openapi.NewPrincipal{Grants: grants})))
}

// revokeKeys revokes every API key of a principal.
func (r *remote) revokeKeys(ctx context.Context, id string) (*openapi.Revocation, error) {
	return decode[openapi.Revocation](r.body(r.api.RevokeKeys(ctx, id)))
}
