package processtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muniment/anchor/processtest"
)

// askedFor is what TestFinding sets for the run of itself in which the server is looked for.
const askedFor = "PROCESSTEST_FINDS"

// A server is found in the cache or on PATH in its pinned version; a test that finds none says so.
func TestFinding(t *testing.T) {
	if os.Getenv(askedFor) != "" {
		processtest.Program(t, "versitygw")
		return
	}
	program := processtest.Program(t, "versitygw") // skips this where there is none to find
	right, wrong, none := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.Symlink(program, filepath.Join(right, "versitygw")); err != nil {
		t.Fatal(err)
	}
	const other = "#!/bin/sh\necho Version : v0.9.9\n"
	if err := os.WriteFile(filepath.Join(wrong, "versitygw"), []byte(other), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path, tests, want string
	}{
		"on PATH in the pinned version":          {right, "complete", "--- PASS"},
		"on PATH in another":                     {wrong, "", "--- SKIP"},
		"nowhere":                                {none, "", "--- SKIP"},
		"nowhere, and no test may be left out":   {none, "complete", "--- FAIL"},
		"another, and no test may be left out":   {wrong, "complete", "--- FAIL"},
		"on PATH after one of another version's": {wrong + string(os.PathListSeparator) + right, "", "--- SKIP"},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), program, "-test.v", "-test.run=^TestFinding$")
			run.Env = append(os.Environ(), askedFor+"=1", "PATH="+test.path, "MUNIMENT_TESTS="+test.tests,
				"MUNIMENT_SERVERS_DIR="+none)
			out, _ := run.CombinedOutput() // how it ended is in the output
			if !strings.Contains(string(out), test.want) {
				t.Errorf("it does not say %q:\n%s", test.want, out)
			}
			if says := strings.Contains(string(out), "`make servers` builds it"); says == (test.want == "--- PASS") {
				t.Errorf("saying how to get it: %t:\n%s", says, out)
			}
		})
	}
}
