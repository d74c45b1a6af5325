package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/openapi"
	"muniment/vault/access"
)

// TestFounding walks the whole ceremony over HTTP: the trial ends with two claims, a person gets roles and a key by two
// people, and nothing is in force before its time.
func TestFounding(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	trial := r.token
	var self openapi.Self
	r.call(http.MethodGet, "/v1/whoami", "", trial).json(t, &self)
	if !self.Trial || self.Principal.Origin != access.OriginBootstrap {
		t.Errorf("on trial the first principal is %+v", self)
	}
	made := r.principal(access.Grant{Role: access.Auditor})
	custodian := r.principal(access.Grant{Role: access.KeyCustodian})
	wants(t, "proposing a trim on trial", r.call(http.MethodPost, "/v1/keys/trims", "{}", custodian), 409, "trial")

	const names = `{"administrator":"Ada Admin","approver":"Pat Approver"}`
	var first, begun openapi.Founding
	r.call(http.MethodPost, "/v1/founding", names, trial).json(t, &first)
	a := r.call(http.MethodPost, "/v1/founding", names, trial)
	wants(t, "founding again", a, 201, "")
	a.json(t, &begun)
	wants(t, "stopping", r.call(http.MethodDelete, "/v1/founding", "", trial), 200, "")
	stopped := begun
	r.call(http.MethodPost, "/v1/founding", names, trial).json(t, &begun)
	for what, code := range map[string]string{
		"a code of a founding that was stopped": stopped.Approver.Code,
		"an earlier code":                       first.Administrator.Code, "another": "mun_once_" + strings.Repeat("a",
			32),
		"a key": trial,
	} {
		wants(t, what, r.call(http.MethodPost, "/v1/claims", asText(openapi.NewClaim{Code: code}), ""), 404,
			"code-not-open")
	}
	if a := r.call(http.MethodPost, "/v1/claims", "{}", ""); a.problem() != "bad-request" ||
		!strings.Contains(string(a.body), "code is missing") {
		t.Errorf("claiming without a code: %d %s", a.status, a.body)
	}
	if m := r.admin("/metrics").Body.String(); !strings.Contains(m, "\nmuniment_foundings_under_way 1\n") ||
		!strings.Contains(m, "\nmuniment_recoveries_under_way 0\n") {
		t.Error("the metrics do not tell of the founding")
	}
	one := r.claim(begun.Administrator.Code)
	if one.Founded || one.InForce || one.Key == "" || len(one.Fingerprint) != 19 {
		t.Errorf("the first claim came to %+v", one)
	}
	wants(t, "a founder's key before the founding", r.call(http.MethodGet, "/v1/whoami", "", one.Key), 401,
		"key-unapproved")
	wants(t, "a code that was used", r.call(http.MethodPost, "/v1/claims",
		asText(openapi.NewClaim{Code: begun.Administrator.Code}), ""), 404, "code-not-open")
	wants(t, "the trial goes on", r.call(http.MethodGet, "/v1/whoami", "", trial), 200, "")
	two := r.claim(begun.Approver.Code)
	if !two.Founded || !two.InForce {
		t.Errorf("the second claim came to %+v", two)
	}
	r.administrator, r.approver = one.Key, two.Key
	for what, key := range map[string]string{
		"the first principal": trial, "an auditor": made, "a custodian": custodian,
	} {
		wants(t, what+" of the trial", r.call(http.MethodGet, "/v1/whoami", "", key), 401, "unauthenticated")
	}
	if r.call(http.MethodGet, "/v1/whoami", "", one.Key).json(t, &self); self.Trial || self.Principal.Name == nil ||
		*self.Principal.Name != ada || len(self.Principal.Grants) != 1 {
		t.Errorf("the administrator is %+v", self)
	}
	wants(t, "stopping what is over", r.call(http.MethodDelete, "/v1/founding", "", two.Key), 404, "nothing-begun")
	wants(t, "founding once more", r.call(http.MethodPost, "/v1/founding", names, one.Key), 409, "not-trial")
}

// TestGrantsTakeTwo: what widens power is proposed by one and approved by another, as it was looked at.
func TestGrantsTakeTwo(t *testing.T) {
	t.Parallel()
	r := newFoundedRig(t)
	created := r.proposed("Robin Reader", access.Grant{Role: access.ReaderRole, Series: "default"})
	id := *created.Proposal.ID
	approval, seen := "/v1/grants/"+id+"/approval", r.proposal(id)
	wants(t, "approving before the claim", r.approve(id), 409, "unclaimed")
	claimed := r.claim(*created.Code)
	if claimed.InForce || claimed.Principal.Name == nil || *claimed.Principal.Name != "Robin Reader" {
		t.Errorf("the claim came to %+v", claimed)
	}
	wants(t, "a key before its approval", r.call(http.MethodGet, "/v1/whoami", "", claimed.Key), 401, "key-unapproved")
	before := asText(openapi.NewApproval{Digest: seen.Digest})
	wants(t, "approving what was there before the claim", r.call(http.MethodPost, approval, before, r.approver), 409,
		"changed")
	now := asText(openapi.NewApproval{Digest: r.proposal(id).Digest})
	wants(t, "approving as the administrator", r.call(http.MethodPost, approval, now, r.administrator), 403, "denied")
	wants(t, "approving without a digest", r.call(http.MethodPost, approval, `{"digest":"x"}`, r.approver), 400,
		"bad-request")
	wants(t, "approving nothing", r.call(http.MethodPost, "/v1/grants/"+created.ID+"/approval", now, r.approver), 404,
		"no-proposal")
	a := r.approve(id)
	wants(t, "approving", a, 200, "")
	var done openapi.GrantProposal
	a.json(t, &done)
	if done.State != openapi.GrantProposalStateDone || len(done.Keys) != 1 || done.Keys[0] != claimed.Fingerprint ||
		done.Approver == nil || done.ApproverName == nil || *done.ApproverName != pat ||
		done.ProposerName == nil || *done.ProposerName != ada {
		t.Errorf("approved: %s", a.body)
	}
	var self openapi.Self
	if r.call(http.MethodGet, "/v1/whoami", "", claimed.Key).json(t, &self); len(self.Principal.Grants) != 1 {
		t.Errorf("the reader is %+v", self)
	}

	// One proposal takes the place of another, and can be declined.
	of := func(grants string) string { return `{"principal":"` + created.ID + `","grants":` + grants + `}` }
	propose := func(grants string) (out openapi.GrantProposal) {
		a := r.call(http.MethodPost, "/v1/grants", of(grants), r.administrator)
		wants(t, "proposing "+grants, a, 201, "")
		a.json(t, &out)
		return out
	}
	first, second := propose(`[{"role":"auditor"}]`), propose(`[{"role":"depositor"}]`)
	wants(t, "approving the earlier", r.call(http.MethodPost, "/v1/grants/"+*first.ID+"/approval",
		asText(openapi.NewApproval{Digest: first.Digest}), r.approver), 404, "no-proposal")
	refusal := "/v1/grants/" + *second.ID + "/refusal"
	wants(t, "declining as a reader", r.call(http.MethodPost, refusal, "", claimed.Key), 403, "denied")
	declined := r.call(http.MethodPost, refusal, "", r.approver)
	var ended openapi.GrantProposal
	if declined.json(t, &ended); ended.State != openapi.GrantProposalStateDeclined {
		t.Errorf("declining: %d %s", declined.status, declined.body)
	}
	wants(t, "declining again", r.call(http.MethodPost, refusal, "", r.approver), 404, "no-proposal")
	decided := r.call(http.MethodPost, "/v1/grants/"+id+"/refusal", "", r.approver)
	if wants(t, "declining what was approved", decided, 409, "proposal-over"); !strings.Contains(string(decided.body),
		"It has been decided") {
		t.Errorf("declining what was approved: %s", decided.body)
	}
	wants(t, "approving what was declined", r.call(http.MethodPost, "/v1/grants/"+*second.ID+"/approval",
		asText(openapi.NewApproval{Digest: second.Digest}), r.approver), 404, "no-proposal")

	for grants, code := range map[string]string{
		`[{"role":"administrator"}]`: "forbidden-roles", `[{"role":"emperor"}]`: "bad-metadata",
		`[{"role":"reader","series":"none"}]`: "unknown-series", `[]`: "bad-metadata",
	} {
		a := r.call(http.MethodPost, "/v1/grants", of(grants), r.administrator)
		if a.problem() != code {
			t.Errorf("proposing %s: %d %s, want %s", grants, a.status, a.body, code)
		}
		if code == "unknown-series" && !strings.Contains(string(a.body),
			"A role without a series is for the whole tenant") {
			t.Errorf("proposing %s: %s", grants, a.body)
		}
	}
}

// TestPrincipalsAsTheyWere: who had which right at a past moment is told by what was on record then.
func TestPrincipalsAsTheyWere(t *testing.T) {
	t.Parallel()
	r := newFoundedRig(t)
	id, token := r.person("Robin Reader", access.Grant{Role: access.ReaderRole})
	roles := func(at string) (out []openapi.GrantRole) {
		var one openapi.Principal
		r.call(http.MethodGet, "/v1/principals/"+id+at, "", r.approver).json(t, &one)
		for _, g := range one.Grants {
			out = append(out, g.Role)
		}
		return out
	}
	then := time.Now().UTC()
	wants(t, "revoking a role one's self lacks the right for", r.call(http.MethodDelete, "/v1/principals/"+id+"/grants",
		`{"grants":[{"role":"reader"}]}`, token), 403, "denied")
	a := r.call(http.MethodDelete, "/v1/principals/"+id+"/grants", `{"grants":[{"role":"reader"}]}`, r.administrator)
	wants(t, "revoking a role", a, 200, "")
	if now := roles(""); now != nil {
		t.Errorf("after the revocation it has %v", now)
	}
	at := "?at=" + then.Format(time.RFC3339Nano)
	if diff := cmp.Diff([]openapi.GrantRole{"reader"}, roles(at)); diff != "" {
		t.Errorf("before the revocation:\n%s", diff)
	}
	var list openapi.PrincipalList
	r.call(http.MethodGet, "/v1/principals"+at, "", r.approver).json(t, &list)
	if n := len(list.Principals); n != 5 { // that of the trial, two founders, the worker, the reader
		t.Errorf("%d principals", n)
	}
	r.call(http.MethodGet, "/v1/principals?at=2026-01-01T00:00:00Z", "", r.approver).json(t, &list)
	if n := len(list.Principals); n != 0 {
		t.Errorf("before the beginning there are %d principals", n)
	}
	wants(t, "no time", r.call(http.MethodGet, "/v1/principals?at=yesterday", "", r.approver), 400, "bad-request")
	wants(t, "before its creation", r.call(http.MethodGet, "/v1/principals/"+id+"?at=2026-01-01T00:00:00Z", "",
		r.approver), 404, "not-found")
	a = r.call(http.MethodGet, "/v1/principals", "", token)
	if wants(t, "listing as a reader", a, 403, "denied"); !strings.Contains(string(a.body),
		"the role records_officer, approver, auditor or administrator, for the whole tenant") {
		t.Errorf("the refusal does not say who may: %s", a.body)
	}
	wants(t, "showing as a reader", r.call(http.MethodGet, "/v1/principals/"+id, "", token), 403, "denied")
}
