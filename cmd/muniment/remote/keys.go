package remote

import (
	"context"
	"net/http"

	"muniment/openapi"
)

// Keys says which versions the tenant's key has, and how far rewraps and trims have come.
func (r *Client) Keys(ctx context.Context) (*openapi.KeyStatus, error) {
	return decode[openapi.KeyStatus](r.body(r.api.GetKeys(ctx)))
}

// ReshipKey has the journal change its shipping key.
func (r *Client) ReshipKey(ctx context.Context) (*openapi.Rotation, error) {
	return decode[openapi.Rotation](r.body(r.api.ReshipKey(ctx)))
}

// RotateKey gives the tenant's key a newer version, or puts one on record that a custodian has given it.
func (r *Client) RotateKey(ctx context.Context) (*openapi.Rotation, error) {
	return decode[openapi.Rotation](r.body(r.api.RotateKey(ctx)))
}

// RewrapKeys starts the server's rewrap, or joins the one that runs.
func (r *Client) RewrapKeys(ctx context.Context) (*openapi.Rewrap, error) {
	return decode[openapi.Rewrap](r.body(r.api.RewrapKeys(ctx)))
}

// ProposeTrim proposes to destroy the versions of the key before the oldest; 0 is the newest.
func (r *Client) ProposeTrim(ctx context.Context, oldest int) (*openapi.Trim, error) {
	return decode[openapi.Trim](r.acted(r.api.ProposeTrim(ctx, openapi.NewTrim{Oldest: &oldest})))
}

// ApproveTrim approves a trim that somebody else has proposed.
func (r *Client) ApproveTrim(ctx context.Context, id string) (*openapi.Trim, error) {
	return decode[openapi.Trim](r.acted(r.api.ApproveTrim(ctx, id)))
}

// RunTrim begins a trim, or brings one to its end that was begun.
func (r *Client) RunTrim(ctx context.Context, id string) (*openapi.Trim, error) {
	res, err := r.api.RunTrim(ctx, id)
	accepted := err == nil && res.StatusCode == http.StatusAccepted
	out, err := decode[openapi.Trim](r.body(res, err))
	if err == nil && accepted && out.State == openapi.TrimStateDone { // else 202 says that the custodian comes next
		r.tell()
	}
	return out, err
}

// Time says where the settled time stands that trims wait by.
func (r *Client) Time(ctx context.Context) (*openapi.TimeStatus, error) {
	return decode[openapi.TimeStatus](r.body(r.api.GetTime(ctx)))
}

// AcknowledgeTime lets a gap of the settled time count, which is named by the index of its event and its length.
func (r *Client) AcknowledgeTime(ctx context.Context, gap uint64, length string) (*openapi.TimeStatus, error) {
	in := openapi.NewAcknowledgement{Gap: gap, Length: length}
	return decode[openapi.TimeStatus](r.acted(r.api.AcknowledgeTime(ctx, in)))
}
