package main

import (
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func seriesCommand(p *cli.Program) *cobra.Command {
	c := &cobra.Command{Use: "series", Short: "Record series: what documents are filed in"}
	var immutable bool
	create := &cobra.Command{
		Use:   "create CODE",
		Short: "Create a record series",
		Long: `Adds a record series to the file plan. The code is 1 to 64 of a-z 0-9 . _ - with a letter or
digit first; it stands in the log for ever and must name no person. A series cannot be
renamed, changed or removed. With --immutable it takes documents only while the documents'
store was seen to enforce its locks: the server tries that at its start and once a week, and
"muniment doctor" whenever it is run with --url.`,
		Example: "  muniment series create --immutable permits",
		Args:    cli.OneArgument("which series? give its code, such as permits"),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			created, err := r.CreateSeries(c.Context(), openapi.NewSeries{Code: args[0], Immutable: &immutable})
			if err != nil {
				return err
			}
			return p.Emit(created, func(t *cli.Table) { seriesTable(t, []openapi.Series{*created}) })
		},
	}
	create.Flags().BoolVar(&immutable, "immutable", false,
		"take documents only while the store is seen to enforce its locks")
	list := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the record series",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			all, err := r.Series(c.Context())
			if err != nil {
				return err
			}
			return p.Emit(all, func(t *cli.Table) { seriesTable(t, all.Series) })
		},
	}
	c.AddCommand(create, list)
	return cli.Group(c)
}

func seriesTable(t *cli.Table, all []openapi.Series) {
	t.Row("CODE", "CREATED", "DEFAULT", "IMMUTABLE")
	for _, s := range all {
		t.Row(s.Code, s.CreatedAt.Format(time.DateTime), cli.YesNo(s.Default), cli.YesNo(s.Immutable))
	}
}
