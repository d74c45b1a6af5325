package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func lsCommand(p *cli.Program) *cobra.Command {
	var f remote.Filter
	var after, before string
	c := &cobra.Command{
		Use:   "ls",
		Short: "List documents in the order of their deposits",
		Long: `Lists documents. Because their titles and file names are opened for it, a listing is itself
on record. Dates are taken as midnight UTC.`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case f.Chain != "" && f.Transaction == "":
				return errors.New("--chain needs --transaction")
			case f.Transaction != "" && f.Chain == "":
				return errors.New("--transaction needs --chain")
			}
			return cobra.NoArgs(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			if f.After, err = cli.ParseTime("--after", after); err != nil {
				return err
			}
			if f.Before, err = cli.ParseTime("--before", before); err != nil {
				return err
			}
			docs, err := r.List(c.Context(), f)
			if err != nil {
				return err
			}
			return p.Emit(openapi.DocumentPage{Documents: docs}, func(t *cli.Table) {
				t.Row("ID", "STATE", "SIZE>", "DEPOSITED", "BY~", "SERIES", "NAME~", "TITLE~")
				for _, d := range docs {
					t.Row(d.ID, d.State, cli.Size(d.Size), d.DepositedAt.Format(time.DateTime),
						cli.Actor(remote.Text(d.DepositorName), d.Depositor), d.Series, remote.Text(d.FileName),
						remote.Text(d.Title))
				}
			})
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.Series, "series", "", "only of this record series")
	flags.StringVar(&f.State, "state", "", "only kept or erased ones")
	flags.StringVar(&f.Chain, "chain", "",
		"only those that support transactions on this chain (CAIP-2); with --transaction")
	flags.StringVar(&f.Transaction, "transaction", "", "only those that support this transaction; with --chain")
	flags.StringVar(&after, "after", "", "only those deposited at or after this time or date")
	flags.StringVar(&before, "before", "", "only those deposited before this time or date")
	flags.IntVar(&f.Limit, "limit", 0, "at most so many (default: all)")
	return c
}
