package main

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"muniment/openapi"
)

func (p *program) historyCommand() *cobra.Command {
	var external string
	c := &cobra.Command{
		Use:   "history ID",
		Short: "Tell a document's story: every event about it, oldest first",
		Args:  idOrExternal(&external),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := p.server()
			if err != nil {
				return err
			}
			id, err := r.find(c.Context(), args, external)
			if err != nil {
				return err
			}
			story, err := r.history(c.Context(), id)
			if err != nil {
				return err
			}
			return p.emit(story, func(t *tableWriter) { entryRows(t, story.Entries) })
		},
	}
	externalFlag(c.Flags(), &external)
	return c
}

func (r *remote) history(ctx context.Context, id string) (*openapi.History, error) {
	res, err := r.api.GetHistoryWithResponse(ctx, id)
	if err != nil {
		return nil, r.unreached(err)
	}
	return res.JSON200, answered(res.StatusCode(), res.Body, http.StatusOK)
}

// entryRows are events as a table.
func entryRows(t *tableWriter, entries []openapi.Entry) {
	t.row("INDEX>", "SEQ>", "AT", "TYPE", "ACTOR", "DOCUMENT")
	for _, e := range entries {
		t.row(e.Index, e.Seq, e.At.Format(time.DateTime), e.Type, e.Actor, text(e.Document))
	}
}
