package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/cmd/muniment/config"
	"muniment/openapi"
)

// keeper is the program as a person runs it: with an API key, and perhaps with a token for Vault.
type keeper struct {
	t   *testing.T
	env map[string]string
}

// run runs a command, whose standard output must be JSON when into is not nil. It returns standard error.
func (k keeper) run(into any, args ...string) (string, bool) {
	k.t.Helper()
	var stdout, stderr bytes.Buffer
	around := &program{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		getenv: func(name string) string { return k.env[name] }}
	ok := run(k.t.Context(), around, openStorage, append(args, "-o", "json")) == exitDone
	if ok && into != nil {
		if err := json.Unmarshal(stdout.Bytes(), into); err != nil {
			k.t.Fatalf("%v: %s", err, stdout.String())
		}
	}
	return stderr.String(), ok
}

// principal makes a principal with a role, and is the person who has its key.
func (k keeper) principal(role string) keeper {
	k.t.Helper()
	var made openapi.Principal
	if said, ok := k.run(&made, "principal", "create", "--role", role); !ok {
		k.t.Fatal(said)
	}
	return keeper{k.t, map[string]string{"MUNIMENT_URL": k.env["MUNIMENT_URL"], "MUNIMENT_TOKEN": made.Key}}
}

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
