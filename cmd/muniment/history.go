package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func historyCommand(p *cli.Program) *cobra.Command {
	var doc external
	var limit int
	c := &cobra.Command{
		Use:   "history ID",
		Short: "Tell a document's story: every event about it, oldest first",
		Args:  doc.args,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			id, err := doc.documentID(c.Context(), r, args)
			if err != nil {
				return err
			}
			story, err := r.History(c.Context(), id, limit)
			if err != nil {
				return err
			}
			if story.Next != nil {
				_, _ = fmt.Fprintf(p.Stderr, "the newest %d events; there are older ones\n", len(story.Entries))
			}
			return p.Emit(story, func(t *cli.Table) {
				t.Row("INDEX>", "AT", "TYPE", "ACTOR~", "DETAIL")
				for _, e := range story.Entries {
					t.Row(e.Index, e.At.Format(time.DateTime), e.Type, actor(e), detail(e))
				}
			})
		},
	}
	doc.flags(c.Flags())
	c.Flags().IntVar(&limit, "limit", 0, "at most so many, the newest (default: all)")
	return c
}

// actor is who caused an event, for people to read.
func actor(e openapi.Entry) string { return cli.Actor(remote.Text(e.ActorName), e.Actor) }

// entryRows are events as a table.
func entryRows(t *cli.Table, entries []openapi.Entry) {
	t.Row("INDEX>", "SEQ>", "AT", "TYPE", "ACTOR~", "DOCUMENT", "DETAIL")
	for _, e := range entries {
		t.Row(e.Index, e.Seq, e.At.Format(time.DateTime), e.Type, actor(e), remote.Text(e.Document),
			detail(e))
	}
}
