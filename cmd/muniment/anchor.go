package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func anchorCommand(p *cli.Program) *cobra.Command {
	c := &cobra.Command{Use: "anchor", Short: "Anchors: where the journal's head is made known to others"}
	c.AddCommand(
		&cobra.Command{
			Use:   "now",
			Short: "Anchor at once, on every ledger",
			Long: `Anchors the newest checkpoint without waiting for the next time that one is due. When
nothing but anchoring has happened since the last anchor, there is nothing to anchor.`,
			Args: cobra.NoArgs,
			RunE: anchorsOf(p, (*remote.Client).AnchorNow),
		},
		&cobra.Command{
			Use:   "ls",
			Short: "List anchors and their state, newest first",
			Args:  cobra.NoArgs,
			RunE:  anchorsOf(p, (*remote.Client).Anchors),
		},
	)
	return cli.Group(c)
}

// anchorsOf runs a call that answers with anchors.
func anchorsOf(p *cli.Program, call func(*remote.Client, context.Context) (*openapi.AnchorList,
	error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		r, err := remote.Connect(p)
		if err != nil {
			return err
		}
		list, err := call(r, c.Context())
		if err != nil {
			return err
		}
		return p.Emit(list, func(t *cli.Table) {
			t.Row("INDEX>", "LEDGER", "STATE", "COVERS>", "SINCE", "ATTEMPT")
			for _, a := range list.Anchors {
				t.Row(a.Index, a.ID, a.State, a.Size, a.UpdatedAt.Format(time.DateTime), a.Attempt)
			}
		})
	}
}
