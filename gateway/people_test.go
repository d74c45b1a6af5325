package gateway_test

import (
	"net/http"
	"testing"

	"muniment/openapi"
)

// TestTrialPrincipals: on trial one person makes principals, with keys that are in force at once.
func TestTrialPrincipals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.call(http.MethodPost, "/v1/principals",
		`{"grants":[{"role":"auditor"},{"role":"reader","series":"default"}]}`, r.token)
	wants(t, "creating", a, 201, "")
	var created openapi.CreatedPrincipal
	a.json(t, &created)
	wants(t, "using the key", r.call(http.MethodGet, "/v1/journal/entries", "", *created.Key), 200, "")
	wants(t, "creating without the role",
		r.call(http.MethodPost, "/v1/principals", `{"grants":[{"role":"auditor"}]}`, *created.Key), 403, "denied")
	for body, code := range map[string]string{
		`{"grants":[]}`: "bad-request", `{}`: "bad-request", `{"grants":[{"role":"emperor"}]}`: "bad-metadata",
		`{"grants":[{"role":"reader","series":"../x"}]}`: "bad-metadata",
		// A reviewer must read the grants that are given.
		`{"grants":[{"role":"auditor","role":"administrator"}]}`:      "bad-request",
		`{"grants":[{"role":"auditor","Role":"administrator"}]}`:      "bad-request",
		`{"grants":[{"role":"auditor","\u0072ole":"administrator"}]}`: "bad-request",
		`{"grants":[{"ROLE":"administrator"}]}`:                       "bad-request",
	} {
		if a := r.call(http.MethodPost, "/v1/principals", body, r.token); a.problem() != code {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.body, code)
		}
	}
	keysOf := "/v1/principals/" + created.ID + "/keys"
	wants(t, "revoking without the role", r.call(http.MethodDelete, keysOf, "", *created.Key), 403, "denied")
	wants(t, "revoking", r.call(http.MethodDelete, keysOf, "", r.token), 200, "")
	wants(t, "using the revoked key", r.call(http.MethodGet, "/v1/journal/entries", "", *created.Key), 401,
		"unauthenticated")
	own := "/v1/principals/" + r.who.Principal.String() + "/keys"
	wants(t, "revoking one's own keys", r.call(http.MethodDelete, own, "", r.token), 403, "second-person")
	nobody := "/v1/principals/0190b5a0-7c1e-7000-8000-00000000ffff/keys"
	wants(t, "revoking nobody's", r.call(http.MethodDelete, nobody, "", r.token), 404, "not-found")
}
