package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"muniment/openapi"
)

// Pair are the two persons by whom a tenant is founded, both played by one program: the demonstration, a benchmark, or
// a test. It is two people in form only, and is told apart by the names that it takes.
type Pair struct {
	Administrator, Approver       *Client
	AdministratorKey, ApproverKey string
	url                           string
	transport                     http.RoundTripper
}

// FoundAsPair claims both codes of a founding, which ends it.
func FoundAsPair(ctx context.Context, url, administrator, approver string, transport http.RoundTripper) (*Pair, error) {
	p := &Pair{url: url, transport: transport}
	claimed, err := p.claim(ctx, administrator, "Administrator of this program")
	if err != nil {
		return nil, fmt.Errorf("claiming the administrator's key: %w", err)
	}
	p.AdministratorKey = claimed.Key
	if claimed, err = p.claim(ctx, approver, "Approver of this program"); err != nil {
		return nil, fmt.Errorf("claiming the approver's key: %w", err)
	}
	p.ApproverKey = claimed.Key
	if !claimed.Founded {
		return nil, errors.New("both codes are claimed, and the tenant is not founded")
	}
	return p, p.connect()
}

// PairOf is a pair that has founded a tenant before.
func PairOf(url, administratorKey, approverKey string, transport http.RoundTripper) (*Pair, error) {
	p := &Pair{url: url, transport: transport, AdministratorKey: administratorKey, ApproverKey: approverKey}
	return p, p.connect()
}

func (p *Pair) connect() (err error) {
	if p.Administrator, err = New(p.url, p.AdministratorKey, p.transport); err == nil {
		p.Approver, err = New(p.url, p.ApproverKey, p.transport)
	}
	return err
}

// claim claims a key without a credential. name is for a founder who has none yet; another principal's stays.
func (p *Pair) claim(ctx context.Context, code, name string) (*openapi.Claim, error) {
	nobody, err := New(p.url, "", p.transport)
	if err != nil {
		return nil, err
	}
	return nobody.ClaimKey(ctx, code, name)
}

// Added is a principal that a pair has made, with its key, and what made it.
type Added struct {
	ID, Key  string
	Approved *openapi.GrantProposal
}

// Add makes a principal with these grants, claims a key for it, and approves both.
func (p *Pair) Add(ctx context.Context, name string, grants []openapi.Grant) (added Added, err error) {
	created, err := p.Administrator.CreatePrincipal(ctx, name, grants)
	if err != nil {
		return added, fmt.Errorf("creating %s: %w", name, err)
	}
	if created.Code == nil || created.Proposal == nil {
		return added, fmt.Errorf("creating %s: the server gives no code or proposal", name)
	}
	claimed, err := p.claim(ctx, *created.Code, "")
	if err != nil {
		return added, fmt.Errorf("claiming the key of %s: %w", name, err)
	}
	added.ID, added.Key = created.ID, claimed.Key
	if added.Approved, err = p.Approve(ctx, Text(created.Proposal.ID)); err != nil {
		return added, fmt.Errorf("approving %s: %w", name, err)
	}
	return added, nil
}

// Approve approves a proposal as it is now.
func (p *Pair) Approve(ctx context.Context, id string) (*openapi.GrantProposal, error) {
	all, err := p.Approver.GrantProposals(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range all.Proposals {
		if Text(one.ID) == id {
			return p.Approver.ApproveGrants(ctx, id, one.Digest)
		}
	}
	return nil, fmt.Errorf("there is no proposal %s", id)
}

// Close lets go of idle connections.
func (p *Pair) Close() {
	p.Administrator.Close()
	p.Approver.Close()
}
