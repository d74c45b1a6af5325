package main

import (
	"bytes"
	"context"
	"log/slog"
	"muniment/cmd/muniment/config"
	"muniment/openapi"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A rewrap that is no longer followed goes on, and the same command follows it again.
func TestRewrapIsLeft(t *testing.T) {
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.AdminListen = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", "127.0.0.1:0"
	s, err := startService(t.Context(), cfg, slog.New(slog.DiscardHandler), openStorage)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(patience); err != nil {
			t.Error(err)
		}
	})
	s.start()
	owner := keeper{t, map[string]string{"MUNIMENT_URL": s.url(), "MUNIMENT_TOKEN": s.node.bootstrap.Reveal()}}
	custodian := owner.principal("key_custodian")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	p := &program{stdout: &stderr, stderr: &stderr,
		getenv: func(n string) string { return custodian.env[n] }}
	remote, err := connect(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := follow(ctx, p, remote,
		&openapi.Rewrap{State: openapi.RewrapStateRunning, BeganAt: time.Now()}); err == nil ||
		!strings.Contains(err.Error(), "no longer following") {
		t.Errorf("left: %v", err)
	}
	var done openapi.Rewrap
	if said, ok := custodian.run(&done, "key", "rewrap"); !ok || done.State != openapi.RewrapStateDone {
		t.Errorf("following again: %+v: %s", done, said)
	}
}
