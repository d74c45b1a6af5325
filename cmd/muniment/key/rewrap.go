package key

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// rewrapLook is how often the server is asked how far a rewrap has come.
const rewrapLook = 200 * time.Millisecond

func keyRewrapCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "rewrap",
		Short: "Wrap everything that is kept with the newest version of the key",
		Long: `Starts the rewrap on the server, or joins the one that runs, and shows how far it has come.
It goes on when this command is broken off. Where the server was, the same command takes it
up again, and passes over what is done.`,
		Example: "  muniment key rewrap",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			done, err := rewrap(c.Context(), p, r)
			if err != nil {
				return err
			}
			return p.Emit(done, func(t *cli.Table) {
				t.Row("VERSION>", "REWRAPPED>", "TOOK")
				took := time.Duration(0)
				if done.EndedAt != nil {
					took = done.EndedAt.Sub(done.BeganAt)
				}
				t.Row(done.Version, done.Rewrapped, took.Round(time.Millisecond))
			})
		},
	}
}

// rewrap starts or joins the server's rewrap and follows it to its end.
func rewrap(ctx context.Context, p *cli.Program, r *remote.Client) (*openapi.Rewrap, error) {
	started, err := r.RewrapKeys(ctx)
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
func follow(ctx context.Context, p *cli.Program, r *remote.Client, now *openapi.Rewrap) (*openapi.Rewrap, error) {
	bar := cli.StartProgress(p.Stderr, "rewrap", 0)
	tick := time.NewTicker(rewrapLook)
	defer tick.Stop()
	for now.State == openapi.RewrapStateRunning {
		bar.At(uint64(now.Walked), uint64(now.Of))
		select {
		case <-tick.C:
		case <-ctx.Done():
			bar.Clear()
			return nil, cli.Hint(fmt.Errorf("no longer following the rewrap: %w", ctx.Err()),
				"it goes on; muniment key rewrap follows it again")
		}
		status, err := r.Keys(ctx)
		if err == nil && status.Rewrap == nil {
			err = cli.Hint(errors.New("the server that answers runs no rewrap: it was started again, or is "+
				"another one"),
				"muniment key rewrap follows it, or takes it up again")
		}
		if err != nil {
			bar.Clear()
			return nil, err
		}
		now = status.Rewrap
	}
	bar.End(fmt.Sprintf("%s rewrapped, %d looked at", cli.Count(uint64(now.Rewrapped), "row", "rows"), now.Walked))
	return now, nil
}

// failedRewrap says why a rewrap has ended early.
func failedRewrap(w *openapi.Rewrap) error {
	if w.Unreadable > 0 {
		return cli.Hint(fmt.Errorf("%s cannot be rewrapped", cli.Count(uint64(w.Unreadable), "sealed row",
			"sealed rows")),
			"the server's log names them; muniment fsck --keys says more")
	}
	text := "the rewrap has ended early"
	if w.Problem != nil {
		text += ": " + w.Problem.Title
	}
	return cli.Hint(errors.New(text), "muniment key rewrap takes it up again; what is done stays done")
}
