package main

import (
	"testing"

	"muniment/openapi"
)

// TestDetail: what the tables say of events about people, time and trims.
func TestDetail(t *testing.T) {
	t.Parallel()
	const id = "0190b5a0-7c1e-7000-8000-0000000000ac"
	names := map[string]string{id: "Nora New"}
	for _, c := range []struct{ kind, data, want string }{
		{"tenant.founding_begun/1",
			`{"administrator":"` + id + `","approver":"cli","not_before":"2026-12-28T10:00:00Z"}`,
			"recovery: Nora New, cli, from 2026-12-28"},
		{"grants.revoked/1", `{"principal":"` + id + `","grants":[{"role":"reader","series":"permits"}]}`,
			"for Nora New: reader:permits"},
		{"grants.declined/1", `{"id":"x","principal":"` + id + `"}`, "for Nora New"},
		{"principal.key_revoked/1",
			`{"principal":"` + id + `","digest":"vMzZnHnPp8cAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`,
			"key bccc d99c 79cf a7c7 of Nora New"},
		{"principal.named/1", `{"principal":"` + id + `","name":"x"}`, "Nora New"},
		{"time.acknowledged/1", `{"gap":186,"length":"1m36s"}`, "gap 186, 1m36s"},
		{"key.trim_proposed/1", `{"id":"` + id + `","oldest":2,"not_before":"2026-12-28T10:00:00Z"}`,
			"trim 0190b5a0…00ac, versions before 2, from 2026-12-28"},
		{"key.trim_approved/1", `{"id":"` + id + `"}`, "trim 0190b5a0…00ac"},
		{"key.rotated/1", `{"version":2}`, ""},
		{"document.read/1", `not JSON`, ""},
	} {
		e := openapi.Entry{Type: c.kind, Body: `{"data":` + c.data + `}`, Names: &names}
		if got := detail(e); got != c.want {
			t.Errorf("%s: %q, want %q", c.kind, got, c.want)
		}
	}
}
