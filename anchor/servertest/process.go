package servertest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// startTimeout is how long a server may take to answer. They take well under a second on an idle machine.
const startTimeout = time.Minute

// logTail is how much of a server's output a failed test prints, in bytes.
const logTail = 16 << 10

// Process is a server's process. Its methods are for one goroutine at a time.
type Process struct {
	name   string
	binary string
	args   []string
	env    []string
	dir    string // its working directory
	log    string // the file that its output goes to
	probe  string // the URL that answers once it serves
	status int    // with which it answers then; 0: any
	client *http.Client

	mu      sync.Mutex
	process *os.Process
	exited  chan struct{} // closed when the process has ended and was waited for
}

// launch starts the process and returns when it serves. It ends with the test.
func (p *Process) launch(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		p.stop()
		p.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the last output of %s:\n%s", p.name, tail(p.log))
		}
	})
	p.Restart(t)
}

// Program is the path of the server's program.
func (p *Process) Program() string { return p.binary }

// Stop ends the process as a crash would (SIGKILL). A process that has ended stays so.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.stop()
}

func (p *Process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return
	}
	kill(p.process)
	<-p.exited
	p.process = nil
}

// Restart starts the server again, on the same port and folder, and returns when it answers. A Vault is sealed then. A
// server that runs is stopped first.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	p.stop()
	if err := p.start(); err != nil {
		t.Fatalf("starting %s: %v", p.name, err)
	}
	await(t, p.name+" serves", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("%s ended instead of serving", p.name)
		default:
		}
		return p.answers(t.Context())
	})
}

// start runs the program. The thread that starts it is kept until it ends, because Linux ends the child with that
// thread.
func (p *Process) start() error {
	started := make(chan error)
	exited := make(chan struct{})
	var cmd *exec.Cmd
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			started <- fmt.Errorf("opening its log: %w", err)
			return
		}
		defer log.Close()
		cmd = &exec.Cmd{
			Path: p.binary, Args: append([]string{p.binary}, p.args...), Env: p.env, Dir: p.dir,
			Stdout: log, Stderr: log, SysProcAttr: childAttributes(),
		}
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = cmd.Wait() // it was killed; a process that ends by itself is told by exited
	}()
	if err := <-started; err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process, p.exited = cmd.Process, exited
	return nil
}

// answers tells whether the server answers.
func (p *Process) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.probe, nil)
	if err != nil {
		return false
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && (p.status == 0 || p.status == resp.StatusCode)
}

// environment is all that a server is given of the machine's, so that a developer's settings (VAULT_TOKEN, MINIO_…) do
// not reach it.
func environment(home string, more ...string) []string {
	return append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}, more...)
}

// tail is the end of a file.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

// makeDir makes a folder in a folder.
func makeDir(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatalf("making a folder for a server: %v", err)
	}
	return path
}

// await polls a condition that servers bring about.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it has not come about within %v that %s", startTimeout, what)
		}
	}
}
