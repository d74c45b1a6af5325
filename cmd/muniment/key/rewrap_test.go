package key

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// A rewrap that is no longer followed goes on, and the same command follows it again.
func TestRewrapIsLeft(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.AdminListen = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", "127.0.0.1:0"
	s, err := node.Listen(t.Context(), cfg, slog.New(slog.DiscardHandler), node.OpenStorage)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(5 * time.Second); err != nil {
			t.Error(err)
		}
	})
	s.Serve()
	client := func(token string) *remote.Client {
		r, err := remote.New(s.URL(), token, remote.NewTransport(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	}
	custodian, err := client(s.Node.Bootstrap.Reveal()).CreatePrincipal(t.Context(), "",
		[]openapi.Grant{{Role: "key_custodian"}})
	if err != nil {
		t.Fatal(err)
	}
	r := client(*custodian.Key)
	p := &cli.Program{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	running := &openapi.Rewrap{State: openapi.RewrapStateRunning, BeganAt: time.Now()}
	if _, err := follow(ctx, p, r, running); err == nil ||
		!strings.Contains(err.Error(), "no longer following") {
		t.Errorf("left: %v", err)
	}
	if done, err := rewrap(t.Context(), p, r); err != nil || done.State != openapi.RewrapStateDone {
		t.Errorf("following again: %+v: %v", done, err)
	}
}
