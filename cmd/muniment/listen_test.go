package main

import (
	"context"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/cmd/muniment/remote"
)

// TestHalfSentHeadersStopNobody: a client without a credential opens what it may, and another client still deposits.
func TestHalfSentHeadersStopNobody(t *testing.T) {
	long(t, processes)
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh, which lowers the limit of open files")
	}
	program, err := exec.LookPath("muniment")
	if err != nil {
		t.Fatal(err)
	}
	few := exec.Command(shell, "-c", `ulimit -n 200 && exec "$0" "$@"`, program, "serve")
	// The attacker's address differs from the client's, which loopback has room for.
	p := startCommand(t, few, filepath.Join(t.TempDir(), "data"), "")
	attacker := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	for range 300 {
		c, err := attacker.Dial("tcp", strings.TrimPrefix(p.remote.Base, "http://"))
		if err != nil {
			t.Skipf("this machine has no second loopback address: %v", err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost:") // one that is over the limit is closed meanwhile
	}
	// Half-sent headers are given up after ten seconds; nobody has to wait for that.
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	for range 5 {
		a, err := p.remote.Send(ctx, remote.Deposit{Title: "x", Length: 1, Content: strings.NewReader("x")})
		if err != nil {
			t.Fatalf("depositing: %v\n%s", err, p.stderr.String())
		}
		if err := p.remote.Read(ctx, a.ID, remote.ReadOptions{Purpose: "test"}, io.Discard); err != nil {
			t.Errorf("reading: %v", err)
		}
	}
}
