package processtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"
)

// awaitTimeout is how long what is awaited may take. A server takes well under a second to start on an idle machine.
const awaitTimeout = time.Minute

// logTail is how much of a server's output a failed test prints, in bytes.
const logTail = 16 << 10

// Command says how a server's program is run, and how to see that it serves.
type Command struct {
	Name   string       // what a failed test calls it
	Path   string       // of the program, as Program returns it
	Args   []string     // without the program's name
	Env    []string     // all of its environment; see Environment
	Dir    string       // its working directory
	Log    string       // the file that its output goes to
	Probe  string       // the URL that answers once it serves
	Status int          // with which it answers then; 0: any
	Client *http.Client // asks the probe

	// Shared says that several tests use the server, so none may stop it: Stop and Restart fail the test.
	Shared bool
}

// Process is a server's process. Its methods are for one goroutine at a time.
type Process struct {
	command Command

	mu      sync.Mutex
	process *os.Process
	exited  chan struct{} // closed when the process has ended and was waited for
}

// Start runs a server and returns when it serves. It ends with the test, which prints the end of its output when it has
// failed.
func Start(t testing.TB, command Command) *Process {
	t.Helper()
	p := &Process{command: command}
	p.LogIfFailed(t)
	t.Cleanup(func() {
		p.stop()
		command.Client.CloseIdleConnections()
	})
	p.restart(t)
	return p
}

// LogIfFailed has the test print the end of the server's output if it has failed by its end. Start does so for its own.
func (p *Process) LogIfFailed(t testing.TB) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last output of %s:\n%s", p.command.Name, tail(p.command.Log))
		}
	})
}

// MustNotBeShared fails the test, naming what it was about to do, when the server is shared.
func (p *Process) MustNotBeShared(t testing.TB, act string) {
	t.Helper()
	if p.command.Shared {
		t.Fatalf("%s a %s that other tests use as well: start one for this test", act, p.command.Name)
	}
}

// Program is the path of the server's program.
func (p *Process) Program() string { return p.command.Path }

// Stop ends the process as a crash would (SIGKILL). A process that has ended stays so.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.MustNotBeShared(t, "stopping")
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
	p.MustNotBeShared(t, "restarting")
	p.stop()
	p.restart(t)
}

func (p *Process) restart(t testing.TB) {
	t.Helper()
	if err := p.start(); err != nil {
		t.Fatalf("starting %s: %v", p.command.Name, err)
	}
	Await(t, p.command.Name+" serves", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("%s ended instead of serving", p.command.Name)
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
		log, err := os.OpenFile(p.command.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			started <- fmt.Errorf("opening its log: %w", err)
			return
		}
		defer log.Close()
		cmd = &exec.Cmd{
			Path: p.command.Path, Args: append([]string{p.command.Path}, p.command.Args...), Env: p.command.Env,
			Dir:    p.command.Dir,
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.command.Probe, nil)
	if err != nil {
		return false
	}
	resp, err := p.command.Client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && (p.command.Status == 0 || p.command.Status == resp.StatusCode)
}

// Environment is all that a server is given of the machine's environment, so that a developer's settings (VAULT_TOKEN,
// MINIO_…) do not reach it.
func Environment(home string, more ...string) []string {
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

// Await polls a condition that another process or goroutine brings about, and fails the test when it has not come about
// within a minute.
func Await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(awaitTimeout); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("within %v it has not come about that %s", awaitTimeout, what)
		}
	}
}
