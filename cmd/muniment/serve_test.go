package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muniment/anchor/processtest"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
)

// process is "muniment serve" as an operator runs it.
type process struct {
	*exec.Cmd
	remote *remote.Client
	token  string
	stderr strings.Builder
}

func startProcess(t *testing.T, data, token string, env ...string) *process {
	t.Helper()
	program, err := exec.LookPath("muniment")
	if err != nil {
		t.Fatal(err)
	}
	return startCommand(t, exec.Command(program, "serve"), data, token, env...)
}

// startCommand is startProcess for a command that runs serve by way of something else.
func startCommand(t *testing.T, serve *exec.Cmd, data, token string, env ...string) *process {
	t.Helper()
	serve.Args = append(serve.Args, "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	p := &process{Cmd: serve, token: token}
	p.Env = append(os.Environ(), env...)
	p.Stderr = &p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("serve printed no URL")
	}
	url := lines.Text()
	if token == "" && lines.Scan() {
		p.token = lines.Text()
	}
	if p.remote, err = remote.New(url, p.token, remote.NewTransport(callers)); err != nil {
		t.Fatal(err)
	}
	return p
}

// upload deposits what is written to the pipe, and reports how that ended.
func (p *process) upload(ctx context.Context) (*io.PipeWriter, chan error) {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := p.remote.Send(ctx, remote.Deposit{Title: "slow", Length: -1, Content: r})
		r.CloseWithError(errors.New("the upload is over"))
		done <- err
	}()
	return w, done
}

func (p *process) documents(t *testing.T) int {
	t.Helper()
	docs, err := p.remote.List(context.Background(), remote.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return len(docs)
}

// term sends SIGTERM once the server has taken a part of the body, so that it is in the middle of it.
func (p *process) term(t *testing.T, w io.Writer) {
	t.Helper()
	part := make([]byte, 4<<20) // more than the sockets hold
	if _, err := w.Write(part); err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// The listener is closed before anything else happens.
	for {
		res, err := http.Get(p.remote.Base + "/v1/version")
		if err != nil {
			return
		}
		res.Body.Close()
	}
}

func TestAnUploadUnderWayAtSIGTERMMayEnd(t *testing.T) {
	long(t, processes)
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startProcess(t, data, "", "MUNIMENT_SHUTDOWN=1m")
	w, done := p.upload(context.Background())
	p.term(t, w)
	if _, err := w.Write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Errorf("the upload was not acknowledged: %v", err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	again := startProcess(t, data, p.token)
	if n := again.documents(t); n != 1 {
		t.Errorf("%d documents, want the one that was acknowledged", n)
	}
}

func TestAnUploadThatStallsAtSIGTERMIsCutOff(t *testing.T) {
	long(t, processes)
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startProcess(t, data, "", "MUNIMENT_SHUTDOWN=200ms")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w, done := p.upload(ctx)
	p.term(t, w)
	if err := p.Wait(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if ctx.Err() != nil {
		t.Error("serve took a minute to end")
	}
	w.CloseWithError(io.ErrUnexpectedEOF)
	if err := <-done; err == nil {
		t.Error("an upload that was cut off was acknowledged")
	}
	again := startProcess(t, data, p.token)
	if n := again.documents(t); n != 0 {
		t.Errorf("%d documents, want none", n)
	}
}

// TestAJournalThatHasStoppedEndsTheProcess: an unknown outcome is never followed by more writes.
func TestAJournalThatHasStoppedEndsTheProcess(t *testing.T) {
	long(t, processes)
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		processtest.Missing(t, "strace, which makes the disk's syncs fail, is missing", "apt-get install strace")
	}
	p := startProcess(t, filepath.Join(t.TempDir(), "data"), "")
	fault := exec.Command(strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace=fdatasync", "-e",
		"inject=fdatasync:error=EIO",
		"-p", strconv.Itoa(p.Process.Pid))
	if err := fault.Start(); err != nil {
		t.Fatal(err)
	}
	detached := make(chan error, 1)
	go func() { detached <- fault.Wait() }()
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	deposits, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for deposits.Err() == nil {
			one := remote.Deposit{Title: "x", Length: 1, Content: strings.NewReader("x")}
			_, _ = p.remote.Send(deposits, one)
		}
	}()
	var end error
	select {
	case end = <-ended:
	case <-detached: // strace goes when the server does; alone it goes only where it may not attach
		select {
		case end = <-ended:
		case <-time.After(10 * time.Second):
			_ = p.Process.Kill()
			<-ended // before the test's own end waits for the process, too
			processtest.Missing(t, "strace may not attach to a process here", attachHow)
		}
	}
	var exit *exec.ExitError
	if !errors.As(end, &exit) || exit.ExitCode() != cli.ExitFailed ||
		!strings.Contains(p.stderr.String(), "the journal has stopped") {
		t.Errorf("serve ended with %v, want exit code %d and the reason:\n%s", end, cli.ExitFailed, p.stderr.String())
	}
}
