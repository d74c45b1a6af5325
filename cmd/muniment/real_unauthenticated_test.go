package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRealUnauthenticated: while Vault cannot be reached, fsck, a backup's check and a restore check what is there and
// say by an exit code of their own that nobody has vouched for it; the restore restores nothing.
func TestRealUnauthenticated(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	v := r.victim()
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("kept", 3)
	backup := filepath.Join(r.dir, "backup")
	v.does([]string{"backup", "--config", v.config, "--to", backup})
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	r.proxy.Down()
	v.exits(2, []string{"fsck", "--config", v.config}, "0 findings", "checked, not authenticated")
	v.exits(2, []string{"backup", "--verify", backup, "--config", v.config, "--no-record"},
		"checked, not authenticated")
	if err := os.RemoveAll(v.dir); err != nil {
		t.Fatal(err)
	}
	v.exits(2, []string{"restore", "--config", v.config}, "checked, not authenticated", "nothing was restored")
	if _, err := os.Stat(filepath.Join(v.dir, "journal.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a journal: %v", err)
	}
	was := r.released(nil)
	was["head"] = []byte(strings.Replace(string(was["head"]), `"size":`, `"size":9`, 1))
	r.released(was)
	v.exits(1, []string{"restore", "--config", v.config}, "damaged")
}

// exits runs a command that must end with an exit code and say all of this.
func (v *victim) exits(code int, args []string, says ...string) {
	v.t.Helper()
	out, err := v.tool(args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code {
		v.t.Fatalf("%s: %v, want exit code %d\n%s", args, err, code, out)
	}
	for _, text := range says {
		if !strings.Contains(out, text) {
			v.t.Errorf("%s does not say %q\n%s", args, text, out)
		}
	}
}
