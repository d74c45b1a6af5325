package main

import (
	"errors"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func purposeCommand(p *cli.Program) *cobra.Command {
	c := &cobra.Command{Use: "purpose", Short: "Purposes: what documents may be read for"}
	var any bool
	set := &cobra.Command{
		Use:   "set CODE…",
		Short: "Say for which purposes documents may be read",
		Long: `Replaces the tenant's list of purposes, which takes a records officer. A read for another
purpose is refused, and told the list. A code is 1 to 64 of a-z 0-9 - and stands in the log
for ever: it must name no person. With --any, every code will do again, as it does at first.`,
		Example: "  muniment purpose set audit court-order review",
		Args: func(_ *cobra.Command, args []string) error {
			if any != (len(args) == 0) {
				return errors.New("which purposes? give their codes, such as audit, or --any")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			list, err := r.SetPurposes(c.Context(), args)
			if err != nil {
				return err
			}
			return p.Emit(list, purposeTable(list))
		},
	}
	set.Flags().BoolVar(&any, "any", false, "let documents be read for any purpose")
	list := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the purposes that documents may be read for",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			list, err := r.Purposes(c.Context())
			if err != nil {
				return err
			}
			return p.Emit(list, purposeTable(list))
		},
	}
	c.AddCommand(set, list)
	return cli.Group(c)
}

func purposeTable(list *openapi.PurposeList) func(*cli.Table) {
	return func(t *cli.Table) {
		t.Row("PURPOSE")
		for _, code := range list.Purposes {
			t.Row(code)
		}
		if len(list.Purposes) == 0 {
			t.Row("(any)")
		}
	}
}
