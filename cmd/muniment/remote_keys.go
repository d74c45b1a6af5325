package main

import (
	"context"

	"muniment/openapi"
)

// keys says which versions the tenant's key has, and how far rewraps and trims have come.
func (r *remote) keys(ctx context.Context) (*openapi.KeyStatus, error) {
	return decode[openapi.KeyStatus](r.body(r.api.GetKeys(ctx)))
}

// rotateKey gives the tenant's key a newer version, or puts one on record that a custodian has given it.
func (r *remote) rotateKey(ctx context.Context) (*openapi.Rotation, error) {
	return decode[openapi.Rotation](r.body(r.api.RotateKey(ctx)))
}

// rewrapKeys starts the server's rewrap, or joins the one that runs.
func (r *remote) rewrapKeys(ctx context.Context) (*openapi.Rewrap, error) {
	return decode[openapi.Rewrap](r.body(r.api.RewrapKeys(ctx)))
}

// proposeTrim proposes to destroy the versions of the key before the oldest; 0 is the newest.
func (r *remote) proposeTrim(ctx context.Context, oldest int) (*openapi.Trim, error) {
	return decode[openapi.Trim](r.body(r.api.ProposeTrim(ctx, openapi.NewTrim{Oldest: &oldest})))
}

// approveTrim approves a trim that somebody else has proposed.
func (r *remote) approveTrim(ctx context.Context, id string) (*openapi.Trim, error) {
	return decode[openapi.Trim](r.body(r.api.ApproveTrim(ctx, id)))
}

// runTrim begins a trim, or brings one to its end that was begun.
func (r *remote) runTrim(ctx context.Context, id string) (*openapi.Trim, error) {
	return decode[openapi.Trim](r.body(r.api.RunTrim(ctx, id)))
}
