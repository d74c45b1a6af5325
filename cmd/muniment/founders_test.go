package main

import (
	"context"
	"errors"

	"muniment/cmd/muniment/node"
	"muniment/vault/access"
	"muniment/vault/people"
)

// founders are who may let others into a vault that was just made: the first principal of a trial or, where the vault
// begins with a founding, the two people of it, played by the test.
type founders struct {
	node                    *node.Node
	administrator, approver access.Who
	key                     access.APIKey // the administrator's
}

// foundersOf are those of a node that has just made its vault.
func foundersOf(ctx context.Context, n *node.Node) (*founders, error) {
	f := &founders{node: n, key: n.Bootstrap}
	if n.Founding != nil {
		one, err := n.People.Claim(ctx, n.Founding.Administrator.Code.Reveal(), "Administrator of the test")
		if err != nil {
			return nil, err
		}
		two, err := n.People.Claim(ctx, n.Founding.Approver.Code.Reveal(), "Approver of the test")
		if err != nil {
			return nil, err
		}
		f.key = one.Key
		if f.approver, err = n.Authority().AuthenticateNow(ctx, two.Key.Reveal()); err != nil {
			return nil, err
		}
	}
	var err error
	f.administrator, err = n.Authority().AuthenticateNow(ctx, f.key.Reveal())
	return f, err
}

// add makes a principal with these roles, and a key that is in force.
func (f *founders) add(ctx context.Context, grants ...access.Grant) (access.Who, access.APIKey, error) {
	made, err := f.node.People.CreatePrincipal(ctx, f.administrator,
		people.NewPrincipal{Name: "Somebody of the test", Grants: grants})
	if err != nil {
		return access.Who{}, access.APIKey{}, err
	}
	who := access.Who{Tenant: f.administrator.Tenant, Principal: made.Principal.ID}
	if made.Proposal == nil {
		return who, made.Key, nil
	}
	claimed, err := f.node.People.Claim(ctx, made.Code.Reveal(), "")
	if err != nil {
		return who, access.APIKey{}, err
	}
	waiting, err := f.node.People.GrantProposals(ctx, f.approver)
	if err != nil {
		return who, claimed.Key, err
	}
	for _, one := range waiting {
		if one.ID == made.Proposal.ID {
			_, err := f.node.People.ApproveGrants(ctx, f.approver, one.ID, one.Digest)
			return who, claimed.Key, err
		}
	}
	return who, claimed.Key, errors.New("the proposal is gone")
}
