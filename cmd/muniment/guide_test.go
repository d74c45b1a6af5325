package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"muniment/anchor/processtest"
	"muniment/vault/servertest"
)

// guideBlocks are the blocks of a language in the operator's guide, in order.
func guideBlocks(t *testing.T, language string) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(read(t,
		"README.md"), -1) {
		out = append(out, m[1])
	}
	return out
}

// TestRealGuide runs the shell commands of the operator's guide from top to bottom in one shell, as somebody would who
// follows it, against a versitygw and a Vault in which nothing is prepared. Addresses and folders alone are other ones,
// and between two of the blocks the test does what systemd would.
func TestRealGuide(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	blocks := guideBlocks(t, "sh")
	if len(blocks) < 10 {
		t.Fatalf("only %d blocks of shell commands", len(blocks))
	}
	s3, vault := servertest.Versitygw(t), servertest.NewVault(t)
	for _, prepared := range []string{"sys/mounts/transit", "sys/auth/approle"} {
		vault.Do(t, "DELETE", prepared, vault.RootToken, nil)
	}
	dir := t.TempDir()
	elsewhere := strings.NewReplacer(
		"/etc/muniment", dir+"/etc", "/srv/muniment", dir+"/srv/muniment", "/backup/", dir+"/backup/",
		"http://127.0.0.1:7070", s3.URL(), "http://127.0.0.1:8200", vault.Address,
		":8080", ":"+freePort(t), ":8081", ":"+freePort(t), ":9080", ":"+freePort(t), ":9081", ":"+freePort(t),
	)
	script := "set -eu\nmkdir srv backup\n"
	for i, block := range blocks {
		script += fmt.Sprintf("echo '--- block %d' >&2\n%s", i+1, elsewhere.Replace(block))
		if strings.Contains(block, "wait $server") {
			script += elsewhere.Replace("muniment serve --config /etc/muniment/muniment.yaml > again 2> again.log &\n" +
				"server=$!\n" +
				"until [ -s again ]; do kill -0 $server; sleep 0.1; done\n")
		}
	}
	script += "kill $server\nwait $server\n"
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+guidePath(t, vault.Program()), "HOME="+dir, "VAULT_TOKEN="+vault.RootToken,
		"ACCESS_KEY="+s3.AccessKey, "SECRET_KEY="+s3.SecretKey, "VAULT_ADDR="+vault.Address)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
		for _, name := range []string{"first-start.log", "again.log"} {
			log, _ := os.ReadFile(filepath.Join(dir, name)) // there may be none
			t.Logf("%s:\n%s", name, log)
		}
		return
	}
	t.Logf("%d blocks in %v", len(blocks), time.Since(began))
	for _, want := range []string{"Verified: this is the document",
		"a locked version can be neither deleted, shortened nor overwritten", "0 findings", "approved"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the commands print no %q:\n%s", want, out)
		}
	}
}

// guidePath is a PATH with the programs that the guide calls before all others.
func guidePath(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	muniment, err := exec.LookPath("muniment")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range append(programs, muniment, verifier(t)) {
		if err := os.Symlink(program, filepath.Join(dir, filepath.Base(program))); err != nil {
			t.Fatal(err)
		}
	}
	return dir + string(filepath.ListSeparator) + os.Getenv("PATH")
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestGuideUnit: systemd understands the unit of the guide, and calls it little exposed.
func TestGuideUnit(t *testing.T) {
	long(t, processes)
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		processtest.Missing(t, "systemd-analyze is missing", "it comes with systemd")
	}
	units := guideBlocks(t, "ini")
	if len(units) != 1 {
		t.Fatalf("%d units", len(units))
	}
	path := filepath.Join(t.TempDir(), "muniment.service")
	program, err := exec.LookPath("muniment")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(units[0], "/usr/local/bin/muniment", program)),
		0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", path).CombinedOutput()
	level := regexp.MustCompile(`Overall exposure level for muniment.service: ([0-9.]+) OK`).FindSubmatch(out)
	if err != nil || level == nil || !strings.Contains(read(t, "README.md"), "exposure level is "+string(level[1])) {
		t.Errorf("security: %v, exposure level %s, which is not what the guide says\n%s", err, level, out)
	}
}
