// Package peopletest makes people for tests: two who found a tenant, and others whom these two let in.
package peopletest

import (
	"context"
	"errors"
	"testing"

	"muniment/vault/access"
	"muniment/vault/people"
)

// People are the two who have founded a tenant.
type People struct {
	people        *people.People
	Administrator Person
	Approver      Person
}

// Person is a principal with its API key.
type Person struct {
	access.Who
	Key access.APIKey
}

// Found ends the trial of who's tenant; who is an administrator of it. Every API key from before is revoked.
func Found(t testing.TB, v *people.People, who access.Who) *People {
	t.Helper()
	founding, err := v.Found(context.Background(), who, "Ann Archer", "Bob Baker")
	check(t, err)
	return Claim(t, v, who.Tenant, founding)
}

// Claim has both founders claim their keys.
func Claim(t testing.TB, v *people.People, tenant string, founding people.Founding) *People {
	t.Helper()
	claim := func(code people.FounderCode, name string) Person {
		if code.Name != "" {
			name = ""
		}
		claimed, err := v.Claim(context.Background(), code.Code.Reveal(), name)
		check(t, err)
		return Person{access.Who{Tenant: tenant, Principal: claimed.Principal.ID}, claimed.Key}
	}
	return &People{
		people:        v,
		Administrator: claim(founding.Administrator, "Ann Archer"),
		Approver:      claim(founding.Approver, "Bob Baker"),
	}
}

// Principal makes a principal with grants: the administrator proposes them, its person claims a key, and the approver
// approves.
func (p *People) Principal(t testing.TB, name string, grants ...access.Grant) Person {
	t.Helper()
	ctx := context.Background()
	created, err := p.people.CreatePrincipal(ctx, p.Administrator.Who, people.NewPrincipal{Name: name, Grants: grants})
	check(t, err)
	claimed, err := p.people.Claim(ctx, created.Code.Reveal(), "")
	check(t, err)
	person := Person{access.Who{Tenant: p.Administrator.Tenant, Principal: claimed.Principal.ID}, claimed.Key}
	p.Approve(t, person)
	return person
}

// Approve approves what is proposed for a principal as it stands now.
func (p *People) Approve(t testing.TB, of Person) {
	t.Helper()
	ctx := context.Background()
	open, err := p.people.GrantProposals(ctx, p.Approver.Who)
	check(t, err)
	for _, proposal := range open {
		if proposal.Principal == of.Principal {
			_, err := p.people.ApproveGrants(ctx, p.Approver.Who, proposal.ID, proposal.Digest)
			check(t, err)
			return
		}
	}
}

// check ends the test unless an act is in force.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, access.ErrUnreleased) {
		t.Fatal(err)
	}
}
