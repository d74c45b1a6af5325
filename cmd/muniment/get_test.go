package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
)

// TestGetLeavesNoPart: content that breaks off leaves no file, neither under the name that was asked for nor beside it.
func TestGetLeavesNoPart(t *testing.T) {
	t.Parallel()
	whole := strings.Repeat("0123456789", 300_000)
	cut := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3000000")
		sent := whole
		if cut {
			sent = whole[:2_000_000]
		}
		_, _ = io.WriteString(w, sent)
	}))
	defer server.Close()
	dir := t.TempDir()
	to := filepath.Join(dir, "plan.pdf")
	get := func() (int, string) {
		var out, errs bytes.Buffer
		around := &cli.Program{
			Stdout: &out, Stderr: &errs,
			Getenv: func(name string) string { return map[string]string{"MUNIMENT_URL": server.URL}[name] },
		}
		args := []string{"get", "some-id", "--purpose", "audit", "--to", to}
		return run(t.Context(), around, node.OpenStorage, args), errs.String()
	}
	if code, errs := get(); code != cli.ExitFailed || !strings.Contains(errs, "the content broke off") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	cut = false
	if code, errs := get(); code != cli.ExitDone || errs != "" {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != whole {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
	if code, errs := get(); code != cli.ExitFailed || !strings.Contains(errs, "exists already") {
		t.Errorf("over a file that is there: exit code %d: %s", code, errs)
	}
}
