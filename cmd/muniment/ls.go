package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"muniment/openapi"
)

// listing says which documents to list.
type listing struct {
	series, state, chain, transaction, after, before string
	limit                                            int
}

func lsCommand(p *program) *cobra.Command {
	var l listing
	c := &cobra.Command{
		Use:   "ls",
		Short: "List documents in the order of their deposits",
		Long: `Lists documents. Because their titles and file names are opened for it, a listing is itself on record. Dates are
taken as midnight UTC.`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case l.chain != "" && l.transaction == "":
				return errors.New("--chain needs --transaction")
			case l.transaction != "" && l.chain == "":
				return errors.New("--transaction needs --chain")
			}
			return cobra.NoArgs(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := connect(p)
			if err != nil {
				return err
			}
			docs, err := r.list(c.Context(), l)
			if err != nil {
				return err
			}
			return p.emit(openapi.DocumentPage{Documents: docs}, func(t *tableWriter) {
				t.row("ID", "STATE", "SIZE>", "DEPOSITED", "SERIES", "NAME~", "TITLE~")
				for _, d := range docs {
					t.row(d.ID, d.State, size(d.Size), d.DepositedAt.Format(time.DateTime), d.Series, text(d.FileName),
						text(d.Title))
				}
			})
		},
	}
	f := c.Flags()
	f.StringVar(&l.series, "series", "", "only of this record series")
	f.StringVar(&l.state, "state", "", "only kept or erased ones")
	f.StringVar(&l.chain, "chain", "",
		"only those that support transactions on this chain (CAIP-2); with --transaction")
	f.StringVar(&l.transaction, "transaction", "", "only those that support this transaction; with --chain")
	f.StringVar(&l.after, "after", "", "only those deposited at or after this time or date")
	f.StringVar(&l.before, "before", "", "only those deposited before this time or date")
	f.IntVar(&l.limit, "limit", 0, "at most so many (default: all)")
	return c
}

// pageSize is the largest page that the server gives.
const pageSize = 500

// list follows the pages to the end, or to the limit.
func (r *remote) list(ctx context.Context, l listing) ([]openapi.Document, error) {
	params := openapi.ListDocumentsParams{
		Series: optional(l.series), State: optional(openapi.DocumentState(l.state)),
		Chain: optional(l.chain), Transaction: optional(l.transaction),
	}
	var err error
	if params.DepositedAfter, err = moment("--after", l.after); err != nil {
		return nil, err
	}
	if params.DepositedBefore, err = moment("--before", l.before); err != nil {
		return nil, err
	}
	docs := []openapi.Document{}
	for {
		limit := pageSize
		if l.limit > 0 {
			limit = min(limit, l.limit-len(docs))
		}
		params.Limit = &limit
		res, err := r.api.ListDocumentsWithResponse(ctx, &params)
		if err != nil {
			return nil, r.unreached(err)
		}
		if err := answered(res.StatusCode(), res.Body, http.StatusOK); err != nil {
			return nil, err
		}
		docs = append(docs, res.JSON200.Documents...)
		if params.Cursor = res.JSON200.Next; params.Cursor == nil || l.limit > 0 && len(docs) >= l.limit {
			return docs, nil
		}
	}
}

// moment reads a time or a date.
func moment(flag, s string) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return &at, nil
		}
	}
	return nil, fmt.Errorf("%s %q: write it like 2026-11-22 or 2026-11-22T10:00:00Z", flag, s)
}
