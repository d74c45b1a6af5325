package gateway_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestPurposesOverHTTP: the list is set and shown, and a read for another purpose is told it.
func TestPurposesOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.deposit([]byte("x"))
	json := with("Content-Type", "application/json")
	if a := r.do(http.MethodGet, "/v1/purposes", nil); a.status != 200 || string(a.body) != "{\"purposes\":[]}\n" {
		t.Errorf("at first: %d %s", a.status, a.body)
	}
	a := r.do(http.MethodPut, "/v1/purposes", strings.NewReader(`{"purposes":["review","audit"]}`), json)
	if a.status != 200 || string(a.body) != "{\"purposes\":[\"audit\",\"review\"]}\n" {
		t.Errorf("setting: %d %s", a.status, a.body)
	}
	content := "/v1/documents/" + d.ID + "/content?purpose="
	if a := r.do(http.MethodGet, content+"curiosity", nil); a.status != http.StatusUnprocessableEntity ||
		a.problem() != "purpose-unlisted" || !strings.Contains(string(a.body), "not one of audit, review") {
		t.Errorf("for another purpose: %d %s", a.status, a.body)
	}
	if a := r.do(http.MethodGet, content+"audit", nil); a.status != 200 {
		t.Errorf("for a listed one: %d %s", a.status, a.body)
	}
	for body, want := range map[string]string{`{"purposes":["An audit"]}`: "bad-metadata",
		`{"purposes":{}}`: "bad-request",
		`{"any":true}`:    "bad-request", `{}`: "bad-request", `{"purposes":null}`: "bad-request",
		`{"purposes":["a","a"]}`: "bad-metadata"} {
		if a := r.do(http.MethodPut, "/v1/purposes", strings.NewReader(body), json); a.problem() != want {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.body, want)
		}
	}
}
