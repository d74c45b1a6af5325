package remote

import (
	"context"
	"time"

	"muniment/openapi"
)

// Principals are the principals of the tenant, as they were at a time; nil for now.
func (r *Client) Principals(ctx context.Context, at *time.Time) (*openapi.PrincipalList, error) {
	return decode[openapi.PrincipalList](r.body(r.api.ListPrincipals(ctx, &openapi.ListPrincipalsParams{At: at})))
}

// Principal is one of them, as it was at a time; nil for now.
func (r *Client) Principal(ctx context.Context, id string, at *time.Time) (*openapi.Principal, error) {
	return decode[openapi.Principal](r.body(r.api.GetPrincipal(ctx, id, &openapi.GetPrincipalParams{At: at})))
}

// WhoAmI is the caller.
func (r *Client) WhoAmI(ctx context.Context) (*openapi.Self, error) {
	return decode[openapi.Self](r.body(r.api.WhoAmI(ctx)))
}

// CreatePrincipal makes a principal, and proposes these grants for it or, on trial, gives them.
func (r *Client) CreatePrincipal(ctx context.Context, name string, grants []openapi.Grant) (*openapi.CreatedPrincipal,
	error) {
	return decode[openapi.CreatedPrincipal](r.acted(r.api.CreatePrincipal(ctx,
		openapi.NewPrincipal{Name: Optional(name), Grants: grants})))
}

// RenamePrincipal gives a principal another display name.
func (r *Client) RenamePrincipal(ctx context.Context, id, name string) (*openapi.NewName, error) {
	return decode[openapi.NewName](r.acted(r.api.RenamePrincipal(ctx, id, openapi.NewName{Name: name})))
}

// IssueCode makes a one-time code with which a principal claims a further API key.
func (r *Client) IssueCode(ctx context.Context, id string) (*openapi.OneTimeCode, error) {
	return decode[openapi.OneTimeCode](r.acted(r.api.IssueCode(ctx, id)))
}

// ClaimKey draws the API key that a one-time code is for. It needs no API key.
func (r *Client) ClaimKey(ctx context.Context, code, name string) (*openapi.Claim, error) {
	return decode[openapi.Claim](r.acted(r.api.ClaimKey(ctx, openapi.NewClaim{Code: code, Name: Optional(name)})))
}

// RevokeKeys revokes every API key of a principal.
func (r *Client) RevokeKeys(ctx context.Context, id string) (*openapi.Revocation, error) {
	return decode[openapi.Revocation](r.acted(r.api.RevokeKeys(ctx, id)))
}

// RevokeGrants takes grants from a principal.
func (r *Client) RevokeGrants(ctx context.Context, id string, grants []openapi.Grant) (*openapi.Principal, error) {
	return decode[openapi.Principal](r.acted(r.api.RevokeGrants(ctx, id, openapi.Grants{Grants: grants})))
}

// GrantProposals are the proposals of grants, the newest first.
func (r *Client) GrantProposals(ctx context.Context) (*openapi.GrantProposalList, error) {
	return decode[openapi.GrantProposalList](r.body(r.api.ListGrantProposals(ctx)))
}

// ProposeGrants proposes grants for a principal, and the keys that it has claimed.
func (r *Client) ProposeGrants(ctx context.Context, id string, grants []openapi.Grant) (*openapi.GrantProposal,
	error) {
	return decode[openapi.GrantProposal](r.acted(r.api.ProposeGrants(ctx,
		openapi.NewGrants{Principal: id, Grants: grants})))
}

// ApproveGrants approves what a digest stands for.
func (r *Client) ApproveGrants(ctx context.Context, id, digest string) (*openapi.GrantProposal, error) {
	return decode[openapi.GrantProposal](r.acted(r.api.ApproveGrants(ctx, id, openapi.NewApproval{Digest: digest})))
}

// DeclineGrants ends a proposal.
func (r *Client) DeclineGrants(ctx context.Context, id string) (*openapi.GrantProposal, error) {
	return decode[openapi.GrantProposal](r.acted(r.api.DeclineGrants(ctx, id)))
}

// FoundTenant begins the founding of a tenant on trial.
func (r *Client) FoundTenant(ctx context.Context, administrator, approver string) (*openapi.Founding, error) {
	return decode[openapi.Founding](r.acted(r.api.FoundTenant(ctx,
		openapi.NewFounding{Administrator: administrator, Approver: approver})))
}

// StopFounding ends the founding, or the recovery, that is under way.
func (r *Client) StopFounding(ctx context.Context) (*openapi.Stopped, error) {
	return decode[openapi.Stopped](r.acted(r.api.StopFounding(ctx)))
}
