package gateway_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"muniment/gateway"
	"muniment/openapi"
	"muniment/vault/access"
)

// newFoundedRig starts a gateway before a tenant that two people of the test have founded. The rig's principal is one
// who may do what the first of a trial may, but for administering.
func newFoundedRig(t testing.TB, change ...func(*gateway.Config)) *rig {
	t.Helper()
	r := newRig(t, change...)
	r.found()
	return r
}

// The names of the founders.
const ada, pat = "Ada Admin", "Pat Approver"

// found ends the trial.
func (r *rig) found() {
	r.t.Helper()
	two := asText(openapi.NewFounding{Administrator: ada, Approver: pat})
	a := r.call(http.MethodPost, "/v1/founding", two, r.token)
	wants(r.t, "founding", a, 201, "")
	var begun openapi.Founding
	a.json(r.t, &begun)
	r.administrator = r.claim(begun.Administrator.Code).Key
	claimed := r.claim(begun.Approver.Code)
	if r.approver = claimed.Key; !claimed.Founded || !claimed.InForce {
		r.t.Fatalf("after both claims the tenant is not founded: %+v", claimed.Principal)
	}
	_, r.token = r.person("Wanda Worker", access.Grant{Role: access.Depositor}, access.Grant{Role: access.ReaderRole},
		access.Grant{Role: access.RecordsOfficer}, access.Grant{Role: access.Auditor})
}

// claim claims a key, without a credential.
func (r *rig) claim(code string) (out openapi.Claim) {
	r.t.Helper()
	a := r.call(http.MethodPost, "/v1/claims", asText(openapi.NewClaim{Code: code}), "")
	if a.status != http.StatusCreated && a.status != http.StatusAccepted {
		r.t.Fatalf("claiming: %d %s", a.status, a.body)
	}
	a.json(r.t, &out)
	return out
}

// proposed makes a principal in a tenant that was founded, whose roles wait for their approval.
func (r *rig) proposed(name string, grants ...access.Grant) (out openapi.CreatedPrincipal) {
	r.t.Helper()
	in := openapi.NewPrincipal{Name: &name}
	for _, g := range grants {
		one := openapi.Grant{Role: openapi.GrantRole(g.Role)}
		if g.Series != "" {
			one.Series = &g.Series
		}
		in.Grants = append(in.Grants, one)
	}
	a := r.call(http.MethodPost, "/v1/principals", asText(in), r.administrator)
	if a.json(r.t, &out); out.Code == nil || out.Proposal == nil || out.Proposal.ID == nil || out.Key != nil {
		r.t.Fatalf("creating %s: %d %s", name, a.status, a.body)
	}
	return out
}

// person makes a principal in a tenant that was founded, with a key that is approved.
func (r *rig) person(name string, grants ...access.Grant) (id, token string) {
	r.t.Helper()
	created := r.proposed(name, grants...)
	token = r.claim(*created.Code).Key
	if a := r.approve(*created.Proposal.ID); a.status != http.StatusOK && a.status != http.StatusAccepted {
		r.t.Fatalf("approving %s: %d %s", name, a.status, a.body)
	}
	return created.ID, token
}

// approve approves a proposal as it is now.
func (r *rig) approve(id string) answer {
	r.t.Helper()
	return r.call(http.MethodPost, "/v1/grants/"+id+"/approval",
		asText(openapi.NewApproval{Digest: r.proposal(id).Digest}), r.approver)
}

// proposal is one that waits, as it is now.
func (r *rig) proposal(id string) openapi.GrantProposal {
	r.t.Helper()
	var list openapi.GrantProposalList
	r.call(http.MethodGet, "/v1/grants", "", r.approver).json(r.t, &list)
	for _, one := range list.Proposals {
		if one.ID != nil && *one.ID == id {
			return one
		}
	}
	r.t.Fatalf("there is no proposal %s", id)
	return openapi.GrantProposal{}
}

// asText is a value as JSON.
func asText(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(out)
}
