package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
)

// TestActsNotConfirmed: an act that is in force and not yet confirmed is no failure. Its answer is printed, such as a
// key that is shown once, and standard error says how it stands; about a confirmed act it says nothing.
func TestActsNotConfirmed(t *testing.T) {
	t.Parallel()
	const trim = `{"id":"b1","state":"approved","oldest":2,"proposer":"a","proposed_at":"2026-11-22T10:00:00Z",` +
		`"not_before":"2026-12-22T10:00:00Z","lapses_at":"2027-03-22T10:00:00Z"}`
	const grants = `{"id":"g1","principal":"p1","before":[],"after":[],"keys":[],"digest":"","state":"proposed"}`
	const keys = `{"tenant":"default","custody":"gateway","newest":2,"oldest":1,"rewrapped":2,"trims":[]}`
	for _, test := range []struct {
		args, answer, printed string
		told                  bool // when it is 202
	}{
		{"principal create --name A --role auditor", `{"id":"p1","key":"mun_x","grants":[{"role":"auditor"}]}`, "mun_x",
			true},
		{"principal decline g1", grants, "g1", true},
		{"principal revoke p1", `{"revoked":7}`, "7", true},
		{"key trim propose", trim, "b1", true},
		{"key trim approve b1", trim, "approved", true},
		{"key trim run b1", strings.Replace(trim, "approved", "done", 1), "done", true},
		{"key trim run b1", strings.Replace(trim, "approved", "begun", 1), "begun", false}, // the custodian comes next
	} {
		for _, status := range []int{http.StatusOK, http.StatusAccepted} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					_, _ = io.WriteString(w, keys)
					return
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, test.answer)
			}))
			var out, errs bytes.Buffer
			code := run(t.Context(), &cli.Program{
				Stdout: &out, Stderr: &errs,
				Getenv: func(name string) string { return map[string]string{"MUNIMENT_URL": server.URL}[name] },
			}, node.OpenStorage, strings.Fields(test.args))
			server.Close()
			told := strings.HasPrefix(errs.String(), "in force, not yet confirmed outside: ")
			if code != cli.ExitDone || !strings.Contains(out.String(), test.printed) ||
				told != (test.told && status == http.StatusAccepted) || !told && errs.Len() > 0 {
				t.Errorf("%s, answered %d: exit code %d, printed %q, told %q", test.args, status, code, &out, &errs)
			}
		}
	}
}
