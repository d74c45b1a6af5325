package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muniment/openapi"
	"muniment/vault/access"
)

var asJSON = with("Content-Type", "application/json")

// as sends a request with another principal's token.
func as(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestSeries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var created openapi.Series
	a := r.do(http.MethodPost, "/v1/series", strings.NewReader(`{"code":"permits","immutable":true}`), asJSON)
	if a.status != http.StatusCreated {
		t.Fatalf("creating: %d %s", a.status, a.body)
	}
	a.json(t, &created)
	if !created.Immutable || created.Code != "permits" || created.CreatedAt.IsZero() {
		t.Errorf("created: %+v", created)
	}
	if a := r.do(http.MethodPost, "/v1/series", strings.NewReader(`{"code":"permits"}`),
		asJSON); a.problem() != "series-exists" {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	var list openapi.SeriesList
	r.do(http.MethodGet, "/v1/series", nil).json(t, &list)
	want := []openapi.Series{{Code: "default", Default: true}, {Code: "permits", Immutable: true}}
	if diff := cmp.Diff(want, list.Series, cmpopts.IgnoreFields(openapi.Series{}, "CreatedAt")); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	// The rig's store is a folder, which was never seen to enforce anything.
	if a := r.do(http.MethodPost, "/v1/documents", strings.NewReader("x"),
		with("Muniment-Series", "permits")); a.problem() != "store-not-immutable" {
		t.Errorf("depositing: %d %s", a.status, a.body)
	}
}

func TestSeriesRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct{ name, body, kind, code string }{
		{"not JSON", "code=permits", "application/x-www-form-urlencoded", "not-json"},
		{"no object", `["permits"]`, "application/json", "bad-request"},
		{"null", `null`, "application/json", "bad-request"},
		{"nothing", ``, "application/json", "bad-request"},
		{"unknown field", `{"code":"a","colour":"red"}`, "application/json", "bad-request"},
		{"twice", `{"code":"a","code":"b"}`, "application/json", "bad-request"},
		{"another case", `{"CODE":"a"}`, "application/json", "bad-request"},
		{"more after it", `{"code":"a"} {}`, "application/json", "bad-request"},
		{"wrong type", `{"code":7}`, "application/json", "bad-request"},
		{"too long", `{"code":"` + strings.Repeat("a", 64<<10) + `"}`, "application/json", "too-large"},
		{"bad code", `{"code":"../x"}`, "application/json", "bad-metadata"},
		{"no code", `{}`, "application/json", "bad-metadata"},
	} {
		if a := r.do(http.MethodPost, "/v1/series", strings.NewReader(c.body),
			with("Content-Type", c.kind)); a.problem() != c.code {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	reader, one := r.principal(access.Grant{Role: access.ReaderRole}),
		r.principal(access.Grant{Role: access.RecordsOfficer, Series: "default"})
	for name, a := range map[string]answer{
		"a reader creates": r.do(http.MethodPost, "/v1/series", strings.NewReader(`{"code":"a"}`), asJSON,
			as(reader)),
		"an officer of one series": r.do(http.MethodPost, "/v1/series", strings.NewReader(`{"code":"a"}`), asJSON,
			as(one)),
		"an officer of one series asks": r.do(http.MethodGet, "/v1/series", nil, as(one)),
	} {
		if a.problem() != "denied" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := r.do(http.MethodGet, "/v1/series", nil, as(reader)); a.status != http.StatusOK {
		t.Errorf("a reader asks: %d %s", a.status, a.body)
	}
}

func TestAttestations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var found openapi.Attestation
	a := r.do(http.MethodPost, "/v1/attestations", nil)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a.json(t, &found)
	if found.Immutable || found.Trial != nil || found.Index == 0 {
		t.Errorf("a folder: %+v", found)
	}
	if a := r.do(http.MethodPost, "/v1/attestations", nil,
		as(r.principal(access.Grant{Role: access.Auditor}))); a.problem() != "denied" {
		t.Errorf("an auditor: %d %s", a.status, a.body)
	}
}
