package main

import (
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"muniment/cmd/muniment/node"
)

// tool runs a command of the program against the server, which may be down.
func (v *victim) tool(args ...string) (string, error) {
	cmd := exec.CommandContext(v.t.Context(), v.program, args...)
	cmd.Env = append(os.Environ(), "MUNIMENT_URL="+v.url, "MUNIMENT_TOKEN="+v.token)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// does runs a command that must succeed and say all of this, and returns what it says.
func (v *victim) does(args []string, says ...string) string {
	v.t.Helper()
	out, err := v.tool(args...)
	if err != nil {
		v.t.Fatalf("%s: %v\n%s", args, err, out)
	}
	for _, text := range says {
		if !strings.Contains(out, text) {
			v.t.Errorf("%s does not say %q\n%s", args, text, out)
		}
	}
	return out
}

// allProved demands that a report has anchors, the one that was asked for and perhaps one that was due, and that all of
// them are proved.
func (v *victim) allProved(report string) {
	v.t.Helper()
	found := regexp.MustCompile(`: (\d+) anchors?, the last at \d+; (\d+) proved`).FindStringSubmatch(report)
	if found == nil || found[1] == "0" || found[1] != found[2] {
		v.t.Errorf("the anchors are not all proved:\n%s", report)
	}
}

// refuses runs a command that must fail and say all of this.
func (v *victim) refuses(args []string, says ...string) {
	v.t.Helper()
	out, err := v.tool(args...)
	if err == nil {
		v.t.Fatalf("%s succeeds\n%s", args, out)
	}
	for _, text := range says {
		if !strings.Contains(out, text) {
			v.t.Errorf("%s does not say %q\n%s", args, text, out)
		}
	}
}

// TestRealDrill loses the machine in the middle of its work, and brings it back from the release bucket and Vault
// alone; then it loses the release bucket too, and brings back the backup.
func TestRealDrill(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	v := r.victim()
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("early", 5)
	if resp, body := v.call(http.MethodPost, "/v1/anchors", nil, nil); resp == nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("anchoring: %v %s", resp, body)
	}
	wait := v.backgroundLoad("late")
	v.reach(40)
	inBackup := v.acknowledged()
	backup, checkpoint := filepath.Join(r.dir, "backup"), filepath.Join(r.dir, "checkpoint")
	signed, err := v.tool("journal", "checkpoint")
	if err != nil {
		t.Fatalf("%v\n%s", err, signed)
	}
	r.write("checkpoint", signed)
	v.allProved(v.does([]string{"backup", "--config", v.config, "--to", backup, "--keys"},
		"as their events bind them, and each unwraps", "the signed one at", "on record    yes"))
	v.refuses([]string{"backup", "--config", v.config, "--to", backup, "--with-objects"}, "not in the data folder")
	v.refuses([]string{"backup", "--config", v.config, "--to", backup, "--with-keys"}, "no key file to copy")
	v.reach(len(inBackup) + 20)
	v.end(syscall.SIGKILL)
	wait()
	heads := v.handedOut()

	// The machine is lost: what is left is the buckets, Vault, and the configuration.
	if err := os.RemoveAll(v.dir); err != nil {
		t.Fatal(err)
	}
	v.refuses([]string{"restore", "--config", v.config, "--from", backup}, "the release bucket has a journal already")
	if err := os.RemoveAll(v.dir); err != nil {
		t.Fatal(err)
	}
	v.allProved(v.does([]string{"restore", "--config", v.config}, "with their lookup tokens",
		"by the key of the log's first event"))
	if !v.start(nil) {
		t.Fatalf("the restored server did not start\n%s", v.stderr)
	}
	v.checkPromise()
	v.oneHistory(heads)
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	v.fsck()

	v.does([]string{"backup", "--verify", backup, "--config", v.config, "--keys", "--no-record", "--checkpoint",
		checkpoint},
		"as their events bind them, and each unwraps", "the signed one at")
	second := r.restoreBackup(v, backup, checkpoint, inBackup)
	r.acceptLoss(second)
}

// acknowledged is what was acknowledged so far.
func (v *victim) acknowledged() map[string]ack {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.acked)
}

// restoreBackup puts a backup into an empty release bucket, on another machine.
func (r *real) restoreBackup(v *victim, backup, checkpoint string, inBackup map[string]ack) *victim {
	r.t.Helper()
	r.bucket("release-2", false)
	r.bucket("versioned", true)
	second := &victim{t: r.t, dir: filepath.Join(r.dir, "second"), program: v.program, token: v.token, sent: v.sent,
		acked: inBackup}
	second.config = r.configure("second")
	r.rename(second.config, "release_bucket: release", "release_bucket: versioned")
	v.refuses([]string{"restore", "--config", second.config, "--from", backup}, "version")
	r.rename(second.config, "release_bucket: versioned", "release_bucket: release-2")
	// A checkpoint of the entries that followed the backup is locked: that they are lost is for a person to accept.
	v.refuses([]string{"restore", "--config", second.config, "--from", backup, "--checkpoint", checkpoint},
		"is locked in the documents' store, which is beyond its end", "--accept-loss")
	v.does([]string{"restore", "--config", second.config, "--drill"}, "DRILL", "with their lookup tokens")
	second.refuses([]string{"serve", "--config", second.config}, "was restored for looking at only")
	for _, part := range []string{"journal.db", "drill"} {
		if err := os.Remove(filepath.Join(second.dir, part)); err != nil {
			r.t.Fatal(err)
		}
	}
	v.does([]string{"restore", "--config", second.config, "--accept-loss", "--yes"}, "names both logs")
	if !second.start(nil) {
		r.t.Fatalf("the server over the backup did not start\n%s", second.stderr)
	}
	for key, d := range inBackup {
		second.checkContent(key, d.ID)
	}
	second.end(syscall.SIGTERM)
	second.fsck()
	return second
}

// acceptLoss loses the head of a release bucket, and goes on without it.
func (r *real) acceptLoss(v *victim) {
	r.t.Helper()
	bucket, err := node.OpenS3(r.t.Context(), r.config("second").Storage.S3, "release-2", false,
		slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	defer bucket.Close()
	if err := bucket.Delete(r.t.Context(), "head", ""); err != nil {
		r.t.Fatal(err)
	}
	v.refuses([]string{"serve", "--config", v.config, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"},
		"release-2")
	v.refuses([]string{"restore", "--config", v.config, "--accept-loss"}, "Type the size of the lost head",
		"nothing was changed")
	v.does([]string{"restore", "--config", v.config, "--accept-loss", "--yes"}, "journal.loss_accepted",
		"names both logs")
	// A machine that stops after the first batch and before the head leaves as much, and the same command goes on.
	if err := bucket.Delete(r.t.Context(), "head", ""); err != nil {
		r.t.Fatal(err)
	}
	v.refuses([]string{"serve", "--config", v.config, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"},
		"release-2")
	v.does([]string{"restore", "--config", v.config, "--accept-loss", "--yes"}, "journal.loss_accepted",
		"names both logs")
	if !v.start(nil) {
		r.t.Fatalf("after the loss was accepted it does not start\n%s", v.stderr)
	}
	for key, d := range v.acked {
		v.checkContent(key, d.ID)
	}
	if !v.deposit("after-the-loss") {
		r.t.Errorf("after the loss nothing can be deposited\n%s", v.stderr)
	}
	v.end(syscall.SIGTERM)
	v.fsck()
}

// rename changes a configuration.
func (r *real) rename(path, from, to string) {
	r.t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	changed := strings.Replace(string(raw), from+"\n", to+"\n", 1)
	if changed == string(raw) {
		r.t.Fatalf("%s has no %q", path, from)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		r.t.Fatal(err)
	}
}
