package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"muniment/openapi"
)

// rewrapLook is how often the server is asked how far a rewrap has come.
const rewrapLook = 200 * time.Millisecond

func keyRewrapCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "rewrap",
		Short: "Wrap everything that is kept with the newest version of the key",
		Long: `Starts the rewrap on the server, or joins the one that runs, and shows how far it has come. It goes on when this command is
broken off. Where the server was, the same command takes it up again, and passes over what is done.`,
		Example: "  muniment key rewrap",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := connect(p)
			if err != nil {
				return err
			}
			done, err := rewrap(c.Context(), p, r)
			if err != nil {
				return err
			}
			return p.emit(done, func(t *tableWriter) {
				t.row("VERSION>", "REWRAPPED>", "TOOK")
				took := time.Duration(0)
				if done.EndedAt != nil {
					took = done.EndedAt.Sub(done.BeganAt)
				}
				t.row(done.Version, done.Rewrapped, took.Round(time.Millisecond))
			})
		},
	}
}

// rewrap starts or joins the server's rewrap and follows it to its end.
func rewrap(ctx context.Context, p *program, r *remote) (*openapi.Rewrap, error) {
	started, err := r.rewrapKeys(ctx)
	if err != nil {
		return nil, err
	}
	done, err := follow(ctx, p, r, started)
	if err != nil || done.State != openapi.RewrapStateFailed {
		return done, err
	}
	return nil, failedRewrap(done)
}

// follow shows how far a rewrap has come until it has ended.
func follow(ctx context.Context, p *program, r *remote, now *openapi.Rewrap) (*openapi.Rewrap, error) {
	bar := startProgress(p.stderr, "rewrap", 0)
	tick := time.NewTicker(rewrapLook)
	defer tick.Stop()
	for now.State == openapi.RewrapStateRunning {
		bar.at(uint64(now.Walked), uint64(now.Of))
		select {
		case <-tick.C:
		case <-ctx.Done():
			bar.clear()
			return nil, hint(fmt.Errorf("no longer following the rewrap: %w", ctx.Err()),
				"it goes on; muniment key rewrap follows it again")
		}
		status, err := r.keys(ctx)
		if err == nil && status.Rewrap == nil {
			err = hint(errors.New("the server that answers runs no rewrap: it was started again, or is another one"),
				"muniment key rewrap follows it, or takes it up again")
		}
		if err != nil {
			bar.clear()
			return nil, err
		}
		now = status.Rewrap
	}
	bar.end(fmt.Sprintf("%s rewrapped, %d looked at", count(uint64(now.Rewrapped), "row", "rows"), now.Walked))
	return now, nil
}

// failedRewrap says why a rewrap has ended early.
func failedRewrap(w *openapi.Rewrap) error {
	if w.Unreadable > 0 {
		return hint(fmt.Errorf("%s cannot be rewrapped", count(uint64(w.Unreadable), "sealed row", "sealed rows")),
			"the server's log names them; muniment fsck --keys says more")
	}
	text := "the rewrap has ended early"
	if w.Problem != nil {
		text += ": " + w.Problem.Title
	}
	return hint(errors.New(text), "muniment key rewrap takes it up again; what is done stays done")
}
