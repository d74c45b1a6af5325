package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/remote"
	"muniment/vault/access"
	"muniment/vault/people"
)

func TestEveryWorksUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	times := 0
	every(ctx, time.Microsecond, func(context.Context) {
		if times++; times == 3 {
			cancel()
		}
	})
	// A tick may have come together with the end of the context.
	if times < 3 || times > 4 {
		t.Errorf("it worked %d times, want 3", times)
	}
}

// TestWiringAsksForPermission: who may only deposit is refused everything else, by whatever package decides it.
func TestWiringAsksForPermission(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.AdminListen = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", "127.0.0.1:0"
	s, err := Listen(ctx, cfg, slog.New(slog.DiscardHandler), OpenStorage)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(5 * time.Second); err != nil {
			t.Error(err)
		}
	})
	s.Serve()
	who, err := s.Node.Authority().AuthenticateNow(ctx, s.Node.Bootstrap.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	created, err := s.Node.People.CreatePrincipal(ctx, who,
		people.NewPrincipal{Grants: []access.Grant{{Role: access.Depositor}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := remote.New(s.URL(), created.Key.Reveal(), remote.NewTransport(8))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := r.Send(ctx, remote.Deposit{Title: "mine", Length: 0, Content: http.NoBody})
	if err != nil {
		t.Fatalf("depositing: %v", err)
	}
	for name, call := range map[string]func() error{
		"anchor now": func() error { _, err := r.AnchorNow(ctx); return err },
		"anchor ls":  func() error { _, err := r.Anchors(ctx); return err },
		"evidence":   func() error { _, err := r.Evidence(ctx, out.ID, false); return err },
		"history":    func() error { _, err := r.History(ctx, out.ID, 0); return err },
		"entries":    func() error { _, err := r.Entries(ctx, 0, 10, 0); return err },
		"ls":         func() error { _, err := r.List(ctx, remote.Filter{}); return err },
		"get":        func() error { return r.Read(ctx, out.ID, remote.ReadOptions{Purpose: "test"}, io.Discard) },
	} {
		var problem *remote.ProblemError
		if err := call(); !errors.As(err, &problem) || problem.Status != http.StatusForbidden {
			t.Errorf("%s: %v, want 403", name, err)
		}
	}
}
