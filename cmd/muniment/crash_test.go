package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/evidence"
	"muniment/anchor/processtest"
	"muniment/cmd/muniment/remote"
)

// victim is a server that a test kills, and what its clients know.
type victim struct {
	t       *testing.T
	dir     string
	config  string // the configuration file; may be empty
	program string
	token   string
	pair    *remote.Pair // the founders, where the tenant does not begin on trial
	url     string
	cmd     *exec.Cmd
	stderr  *logBuffer

	mu    sync.Mutex
	sent  map[string][]byte // content by idempotency key
	acked map[string]ack    // by idempotency key
}

// ack is the answer to a deposit, as far as the test needs it.
type ack struct {
	ID      string `json:"id"`
	Receipt struct {
		Index      uint64      `json:"index"`
		Leaf       tlog.Hash   `json:"leaf"`
		Nonce      []byte      `json:"nonce"`
		Body       string      `json:"body"`
		Proof      []tlog.Hash `json:"proof"`
		Checkpoint string      `json:"checkpoint"`
	} `json:"receipt"`
}

// logBuffer is a buffer that is read while the server writes to it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newVictim(t *testing.T, program string) *victim {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, dir: filepath.Join(t.TempDir(), "data"), program: path, sent: map[string][]byte{},
		acked: map[string]ack{}}
	t.Cleanup(func() { v.end(syscall.SIGKILL) })
	return v
}

// start starts the server, behind the command given (strace and its like) and with variables added, and waits for its
// URL. It returns false when the server died before it could serve.
func (v *victim) start(behind []string, env ...string) bool {
	v.t.Helper()
	args := append(slices.Clone(behind), v.program, "serve", "--data", v.dir, "--listen", "127.0.0.1:0",
		"--admin-listen", "127.0.0.1:0")
	if v.config != "" {
		args = append(args, "--config", v.config)
	}
	v.cmd, v.stderr = exec.Command(args[0], args[1:]...), &logBuffer{}
	v.cmd.Env, v.cmd.Stderr = append(os.Environ(), env...), v.stderr
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	url, err := lines.ReadString('\n')
	if err != nil {
		_ = v.cmd.Wait()
		v.cmd = nil
		return false
	}
	v.url = strings.TrimSpace(url)
	if v.token == "" {
		first, err := remote.FirstStart(v.t.Context(), v.url, lines, remote.NewTransport(1))
		if err != nil {
			v.t.Fatalf("no API key: %v\n%s", err, v.stderr)
		}
		v.token, v.pair = first.Key, first.Pair
	}
	return true
}

// end ends the server and everything behind which it runs, and returns how it ended.
func (v *victim) end(sig syscall.Signal) error {
	if v.cmd == nil {
		return nil
	}
	_ = syscall.Kill(-v.cmd.Process.Pid, sig)
	timer := time.AfterFunc(30*time.Second, func() { _ = syscall.Kill(-v.cmd.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	err := v.cmd.Wait()
	v.cmd = nil
	if said := v.stderr.String(); strings.Contains(said, "DATA RACE") {
		v.t.Errorf("the server has a race:\n%s", said)
	}
	return err
}

// call makes a request; a nil response means that the server is gone.
func (v *victim) call(method, path string, content []byte, header map[string]string) (*http.Response, []byte) {
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, bytes.NewReader(content))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+v.token)
	for k, value := range header {
		req.Header.Set(k, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil
	}
	return resp, body
}

// deposit sends the content of an idempotency key; false when the server is gone.
func (v *victim) deposit(key string) bool {
	v.mu.Lock()
	content, again := v.sent[key]
	if !again {
		content = bytes.Repeat([]byte(key+"\n"), 1+len(v.sent)*97%9000)
		v.sent[key] = content
	}
	v.mu.Unlock()
	resp, body := v.call(http.MethodPost, "/v1/documents", content,
		map[string]string{"Idempotency-Key": key, "Muniment-Title": key})
	if resp == nil {
		return false
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		v.t.Errorf("depositing %s: %s %s", key, resp.Status, body)
		return false
	}
	var d ack
	if err := json.Unmarshal(body, &d); err != nil {
		v.t.Errorf("depositing %s: %v", key, err)
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if before, ok := v.acked[key]; ok && before.ID != d.ID {
		v.t.Errorf("%s is document %s, and was %s", key, d.ID, before.ID)
	}
	v.acked[key] = d
	return true
}

// load deposits from several clients until the server is gone, or each has deposited the number given. It returns
// whether the server went.
func (v *victim) load(round string, each int) bool {
	var (
		wg   sync.WaitGroup
		gone atomic.Bool
	)
	for client := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				if !v.deposit(fmt.Sprintf("%s-%d-%d", round, client, i)) {
					gone.Store(true)
					return
				}
			}
		}()
	}
	wg.Wait()
	return gone.Load()
}

// checkPromise checks the promise after a crash: what was acknowledged reads back and is proved, what is visible is
// whole, and a retry leaves exactly one.
func (v *victim) checkPromise() {
	v.t.Helper()
	verifier, err := note.NewVerifier(v.policyKey())
	if err != nil {
		v.t.Fatal(err)
	}
	ids := map[string]string{}
	for key, d := range v.acked {
		v.checkReceipt(verifier, key, d)
		ids[key] = d.ID
	}
	v.checkContents(ids)
	for _, key := range slices.Sorted(maps.Keys(v.sent)) {
		if _, ok := v.acked[key]; !ok && !v.deposit(key) {
			v.t.Fatalf("the retry of %s failed\n%s", key, v.stderr)
		}
	}
	seen, others := map[string]string{}, map[string]string{}
	for id, title := range v.list() {
		if other, twice := seen[title]; twice {
			v.t.Errorf("%s is there twice: %s and %s", title, other, id)
		}
		seen[title] = id
		if ids[title] != id {
			others[title] = id
		}
	}
	v.checkContents(others)
	if len(seen) != len(v.sent) {
		v.t.Errorf("%d documents are there, want %d", len(seen), len(v.sent))
	}
	clear(v.acked) // they have been checked; the next round looks at its own
	for _, title := range slices.Sorted(maps.Keys(v.sent)) {
		v.acked[title] = ack{ID: seen[title]}
	}
}

// policyKey is the verifier key of the checkpoints.
func (v *victim) policyKey() string {
	raw, err := os.ReadFile(filepath.Join(v.dir, "policy.json"))
	if err != nil {
		v.t.Fatal(err)
	}
	policy, err := evidence.ParsePolicy(raw)
	if err != nil {
		v.t.Fatal(err)
	}
	return policy.Origins[0].Keys[0]
}

// checkReceipt checks the proof that a receipt carried when it was given out.
func (v *victim) checkReceipt(verifier note.Verifier, key string, d ack) {
	v.t.Helper()
	if d.Receipt.Body == "" {
		return // of an earlier round, checked then
	}
	if leaf := sha256.Sum256(append(slices.Clone(d.Receipt.Nonce), d.Receipt.Body...)); leaf != d.Receipt.Leaf {
		v.t.Errorf("%s: the leaf is not that of the body", key)
	}
	signed, err := note.Open([]byte(d.Receipt.Checkpoint), note.VerifierList(verifier))
	if err != nil {
		v.t.Errorf("%s: the checkpoint: %v", key, err)
		return
	}
	lines := strings.Split(signed.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		v.t.Errorf("%s: the checkpoint: %v", key, err)
		return
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		v.t.Errorf("%s: the checkpoint: %v", key, err)
		return
	}
	if err := tlog.CheckRecord(d.Receipt.Proof, size, root, int64(d.Receipt.Index),
		tlog.RecordHash(d.Receipt.Leaf[:])); err != nil {
		v.t.Errorf("%s: %v", key, err)
	}
}

// checkContents reads documents by several clients, since each read waits for its record.
func (v *victim) checkContents(ids map[string]string) {
	v.t.Helper()
	keys := make(chan string)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for key := range keys {
				v.checkContent(key, ids[key])
			}
		})
	}
	for key := range ids {
		keys <- key
	}
	close(keys)
	clients.Wait()
}

func (v *victim) checkContent(key, id string) {
	v.t.Helper()
	resp, body := v.call(http.MethodGet, "/v1/documents/"+id+"/content", nil,
		map[string]string{"Muniment-Purpose": "test"})
	if resp == nil || resp.StatusCode != http.StatusOK || !bytes.Equal(body, v.sent[key]) {
		v.t.Errorf("reading %s (%s) gives %d bytes that are not its content: %v\n%s",
			key, id, len(body), resp, v.stderr)
	}
}

// list is the title of every document by its id.
func (v *victim) list() map[string]string {
	v.t.Helper()
	titles := map[string]string{}
	for cursor := ""; ; {
		resp, body := v.call(http.MethodGet, "/v1/documents?limit=200&cursor="+cursor, nil, nil)
		if resp == nil || resp.StatusCode != http.StatusOK {
			v.t.Fatalf("listing: %v %s", resp, body)
		}
		var page struct {
			Documents []struct {
				ID    string `json:"id"`
				Title string `json:"title"`
			} `json:"documents"`
			Next string `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			v.t.Fatal(err)
		}
		for _, d := range page.Documents {
			titles[d.ID] = d.Title
		}
		if cursor = page.Next; cursor == "" {
			return titles
		}
	}
}

// fsck checks the data folder, in which nothing may run.
func (v *victim) fsck() {
	v.t.Helper()
	out, err := exec.Command(v.program, "fsck", "--keys", "--data", v.dir, "--config", v.config).CombinedOutput()
	if err != nil {
		v.t.Errorf("fsck: %v\n%s", err, out)
	}
}

// TestCrash kills the server at every step of a deposit, again and again over the same data, which each step has of its
// own: every round looks at all documents, so that their number is what it costs.
func TestCrash(t *testing.T) {
	long(t, processes)
	t.Parallel()
	for _, point := range crashPoints {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, "crashing-muniment")
			if !v.start(nil) {
				t.Fatalf("the server did not start\n%s", v.stderr)
			}
			v.load("first", 2)
			v.end(syscall.SIGTERM)
			counts := crashCounts(point)
			for _, count := range counts {
				v.crash(point, count)
			}
			v.fsck()
			t.Logf("%d rounds, %d documents", len(counts), len(v.sent))
		})
	}
}

// crashCounts are the times that a server comes past a point until it dies, a round each. It ships a batch of releases
// only once in about forty deposits.
func crashCounts(point string) []int {
	if strings.HasPrefix(point, "ship") {
		return []int{1, 2, 3}
	}
	return []int{1, 2, 3, 5, 9}
}

// crash lets the server die at the n-th time that it comes past a point, and checks what the next one has.
func (v *victim) crash(point string, n int) {
	v.t.Helper()
	if v.start(nil, crashPoint+"="+point, crashCount+"="+strconv.Itoa(n)) {
		if !v.load(fmt.Sprintf("%s-%d", point, n), 100) {
			v.t.Errorf("%s %d: the round has not struck", point, n)
		}
		if err := v.end(syscall.SIGKILL); !killed(err) {
			v.t.Errorf("%s %d: it ended with %v", point, n, err)
		}
	}
	if !v.start(nil) {
		v.t.Fatalf("after %s %d it does not start\n%s", point, n, v.stderr)
	}
	v.checkPromise()
	if err := v.end(syscall.SIGTERM); err != nil {
		v.t.Errorf("after %s %d it ends with %v\n%s", point, n, err, v.stderr)
	}
}

// killed says whether a process ended by kill -9.
func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// TestCrashAtSyscalls kills the server at its n-th write and its n-th sync of a file, by strace; each system call has
// data of its own.
func TestCrashAtSyscalls(t *testing.T) {
	long(t, processes)
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		processtest.Missing(t, "strace is missing", "apt-get install strace")
	}
	for _, call := range []string{"pwrite64", "write", "fsync", "fdatasync", "renameat"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			newVictim(t, "muniment").crashAt(strace, call)
		})
	}
}

// TestTheEndOfAFirstStartIsDurable: the folder is synced after the marker has been removed from it, as strace shows.
func TestTheEndOfAFirstStartIsDurable(t *testing.T) {
	long(t, processes)
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		processtest.Missing(t, "strace is missing", "apt-get install strace")
	}
	v := newVictim(t, "muniment")
	calls := filepath.Join(t.TempDir(), "calls")
	if !v.start([]string{strace, "-f", "-qq", "-y", "-o", calls, "-e", "trace=unlinkat,fsync"}) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("first", 1)
	v.end(syscall.SIGTERM)
	said, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	_, after, removed := strings.Cut(string(said), "/first-start\"")
	if !removed || !strings.Contains(after, v.dir+">") {
		t.Errorf("the marker was removed: %v; no sync of %s follows", removed, v.dir)
	}
}

// crashAt lets the server die at its n-th call of one kind, for several n, and checks what the next one has.
func (v *victim) crashAt(strace, call string) {
	v.t.Helper()
	if !v.start(nil) {
		v.t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("first", 2)
	v.end(syscall.SIGTERM)
	starting, loaded, resting := 0, 0, 0
	for _, n := range []int{1, 4, 15, 40} {
		inject := fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n)
		switch {
		case !v.start([]string{strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject}):
			starting++
		case v.load(fmt.Sprintf("%s-%d", call, n), 30):
			loaded++
		default: // no thread has come to its n-th call
			resting++
		}
		v.end(syscall.SIGKILL)
		if !v.start(nil) {
			v.t.Fatalf("after %s %d it does not start\n%s", call, n, v.stderr)
		}
		v.checkPromise()
		if err := v.end(syscall.SIGTERM); err != nil {
			v.t.Errorf("after %s %d it ends with %v\n%s", call, n, err, v.stderr)
		}
	}
	v.fsck()
	v.t.Logf("%d rounds: killed while starting %d, under load %d, at rest %d; %d documents",
		starting+loaded+resting, starting, loaded, resting, len(v.sent))
	if starting+loaded == 0 {
		v.t.Errorf("%s: no round has struck", call)
	}
}
