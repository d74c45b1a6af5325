package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"muniment/cmd/muniment/remote"
)

// benchClients is how many clients call the server at once.
const benchClients = 8

// serverProcess is a server in a process of its own.
type serverProcess struct {
	cmd    *exec.Cmd
	token  string
	remote *remote.Client
	log    *lastOutput
}

// lastOutput keeps the end of what is written to it.
type lastOutput struct{ text []byte }

// Write implements [io.Writer].
func (t *lastOutput) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - 2000; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// startServer starts this program as a server of its own and waits for its URL. token is the API key of a folder that
// was served before.
func startServer(ctx context.Context, data, token string) (*serverProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	c := &serverProcess{token: token, log: &lastOutput{}}
	c.cmd = exec.CommandContext(ctx, self, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen",
		"127.0.0.1:0")
	// One principal sends all.
	c.cmd.Env = append(os.Environ(), "MUNIMENT_LOG_LEVEL=error", "MUNIMENT_LIMITS_REQUESTS=0")
	c.cmd.Stderr = c.log
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = 30 * time.Second
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	lines := bufio.NewReader(out)
	url, err := lines.ReadString('\n')
	url = strings.TrimSpace(url)
	if err == nil && token == "" {
		err = c.firstKey(ctx, url, lines)
	}
	if err != nil {
		_ = c.cmd.Process.Kill() // it may serve, with nobody to call it
		err = errors.Join(err, c.cmd.Wait())
		return nil, fmt.Errorf("starting a server: it printed no URL or key: %w\n%s", err, c.log.text)
	}
	c.remote, err = remote.New(url, c.token, remote.NewTransport(benchClients))
	return c, err
}

// firstKey gets a key of a vault that was just made. A tenant that starts with a founding is founded by this program.
func (c *serverProcess) firstKey(ctx context.Context, url string, lines *bufio.Reader) error {
	first, err := remote.FirstStart(ctx, url, lines, remote.NewTransport(1))
	if err != nil {
		return err
	}
	if first.Pair != nil {
		first.Pair.Close()
	}
	c.token = first.Key
	return nil
}

// stop ends the server and waits for it.
func (c *serverProcess) stop() error {
	c.remote.Close()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending the server: %w", err)
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("ending the server: %w\n%s", err, c.log.text)
	}
	return nil
}

// kill ends the server as kill -9 does.
func (c *serverProcess) kill() error {
	c.remote.Close()
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("killing the server: %w", err)
	}
	var exit *exec.ExitError
	if err := c.cmd.Wait(); !errors.As(err, &exit) {
		return fmt.Errorf("killing the server: it ended with %w\n%s", err, c.log.text)
	}
	return nil
}

// withServer runs a measurement against a server of its own.
func withServer(ctx context.Context, data string, work func(*serverProcess) error) error {
	c, err := startServer(ctx, data, "")
	if err != nil {
		return err
	}
	err = work(c)
	return errors.Join(err, c.stop())
}

// random makes content of any size from one random block: it is encrypted, so repeating it makes nothing cheaper.
type random struct{ block []byte }

func newRandom() (random, error) {
	s := random{make([]byte, 1<<20)}
	if _, err := rand.Read(s.block); err != nil {
		return s, fmt.Errorf("drawing content: %w", err)
	}
	return s, nil
}

// reader gives n bytes.
func (s random) reader(n int64) io.Reader { return io.LimitReader(&repeater{block: s.block}, n) }

type repeater struct {
	block []byte
	at    int
}

// Read implements [io.Reader].
func (r *repeater) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// upload deposits n bytes.
func (c *serverProcess) upload(ctx context.Context, s random, n int64) (id string, err error) {
	out, err := c.remote.Send(ctx,
		remote.Deposit{FileName: "bench.bin", Title: "A benchmark", Length: n, Content: s.reader(n)})
	if err != nil {
		return "", err
	}
	return out.ID, nil
}
