package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"muniment/anchor/processtest"
)

// attachHow is what a person does where strace may not attach.
const attachHow = "in a container, add the capability SYS_PTRACE; " +
	"elsewhere, be root or set kernel.yama.ptrace_scope to 0"

// injure lets a system call on the journal's file fail from now on; the function it returns ends that.
func (v *victim) injure(call, failure string) (heal func()) {
	v.t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		processtest.Missing(v.t, "strace is missing", "apt-get install strace")
	}
	c := exec.Command(strace, "-f", "-o", "/dev/null", "-p", fmt.Sprint(v.cmd.Process.Pid),
		"-P", filepath.Join(v.dir, "journal.db"), "-e", "trace="+call, "-e", "inject="+call+":error="+failure)
	said, err := c.StderrPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		v.t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	attached := false
	for !attached && lines.Scan() { // it says so when it has got hold of the process
		attached = strings.Contains(lines.Text(), "attached")
	}
	if !attached {
		processtest.Missing(v.t, fmt.Sprintf("strace may not attach to a process here: %v", c.Wait()), attachHow)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() { // so that strace never waits for its reader
			continue
		}
	}()
	return func() {
		_ = c.Process.Signal(syscall.SIGINT)
		<-done
		_ = c.Wait()
	}
}

// status makes a request and returns its status, 0 when the server is gone.
func (v *victim) status(method, path string, content string, header map[string]string) int {
	resp, _ := v.call(method, path, []byte(content), header)
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}

// TestFullDisk: while the journal's disk is full, deposits and content reads are 507, and what needs no record goes on;
// afterwards everything does.
func TestFullDisk(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("before", 3)
	id := v.acked["before-0-0"].ID
	purpose := map[string]string{"Muniment-Purpose": "test"}
	heal := v.injure("pwrite64", "ENOSPC")
	for _, c := range []struct {
		method, path string
		header       map[string]string
		want         int
	}{
		{http.MethodPost, "/v1/documents", nil, http.StatusInsufficientStorage},
		{http.MethodGet, "/v1/documents/" + id + "/content", purpose, http.StatusInsufficientStorage},
		{http.MethodGet, "/v1/documents/" + id, nil, http.StatusOK},
		{http.MethodGet, "/v1/documents", nil, http.StatusOK},
		{http.MethodGet, "/v1/documents/" + id + "/evidence", nil, http.StatusOK},
		{http.MethodGet, "/v1/documents/" + id + "/history", nil, http.StatusOK},
		{http.MethodGet, "/v1/journal/entries?after=0", nil, http.StatusOK},
		{http.MethodGet, "/v1/journal/checkpoint", nil, http.StatusOK},
		{http.MethodGet, "/v1/journal/tile/0/000.p/5", nil, http.StatusOK},
	} {
		if got := v.status(c.method, c.path, "content", c.header); got != c.want {
			t.Errorf("on a full disk %s %s is %d, want %d", c.method, c.path, got, c.want)
		}
	}
	heal()
	v.load("after", 3)
	v.checkPromise()
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Errorf("it ends with %v\n%s", err, v.stderr)
	}
	v.fsck()
}

// TestFailedSync: a sync that fails leaves the outcome unknown. The server acknowledges nothing any more and ends, and
// the next one has all that was acknowledged.
func TestFailedSync(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("before", 3)
	heal := v.injure("fdatasync", "EIO")
	if got := v.status(http.MethodPost, "/v1/documents", "content",
		map[string]string{"Idempotency-Key": "during"}); got == http.StatusCreated {
		t.Error("a deposit was acknowledged though its sync failed")
	}
	err := v.cmd.Wait() // by itself
	v.cmd = nil
	heal()
	if err == nil || !strings.Contains(v.stderr.String(), "the journal has stopped") {
		t.Errorf("it ended with %v, and said:\n%s", err, v.stderr)
	}
	v.sent["during"] = []byte("content")
	if !v.start(nil) {
		t.Fatalf("it does not start again\n%s", v.stderr)
	}
	for key, d := range v.acked {
		v.checkContent(key, d.ID)
	}
	if got := v.status(http.MethodPost, "/v1/documents", "content",
		map[string]string{"Idempotency-Key": "during"}); got != http.StatusCreated && got != http.StatusOK {
		t.Errorf("the retry is %d", got)
	}
	if n := len(v.list()); n != len(v.sent) {
		t.Errorf("%d documents are there, want %d", n, len(v.sent))
	}
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Errorf("it ends with %v\n%s", err, v.stderr)
	}
	v.fsck()
}

// TestLostFolder: with everything gone but the release bucket, the objects and the key file, serve comes back with all
// documents, their ids of the caller's, and the evidence.
func TestLostFolder(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("before", 5)
	if got := v.status(http.MethodPost, "/v1/anchors", "", nil); got >= http.StatusBadRequest {
		t.Errorf("anchoring is %d", got)
	}
	v.end(syscall.SIGKILL)
	parts, err := os.ReadDir(v.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		switch part.Name() {
		case "release", "objects", "keys.json":
			continue
		}
		if err := os.RemoveAll(filepath.Join(v.dir, part.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if v.start(nil) {
		t.Error("it starts without its journal")
		v.end(syscall.SIGTERM)
	}
	if out, err := exec.Command(v.program, "restore", "--data", v.dir).CombinedOutput(); err != nil {
		t.Fatalf("restoring: %v\n%s", err, out)
	}
	if !v.start(nil) {
		t.Fatalf("it does not start again\n%s", v.stderr)
	}
	for key := range v.acked { // a retry finds the document by its key: the index is back
		before := v.acked[key].ID
		if !v.deposit(key) || v.acked[key].ID != before {
			t.Errorf("the retry of %s made another document", key)
		}
		if got := v.status(http.MethodGet, "/v1/documents/"+before+"/evidence", "", nil); got != http.StatusOK {
			t.Errorf("the evidence of %s is %d", key, got)
		}
	}
	v.checkPromise()
	if got := v.status(http.MethodPost, "/v1/anchors", "", nil); got >= http.StatusBadRequest {
		t.Errorf("anchoring after the loss is %d\n%s", got, v.stderr)
	}
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Errorf("it ends with %v\n%s", err, v.stderr)
	}
	v.fsck()
}
