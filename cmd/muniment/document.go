package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"muniment/cmd/muniment/remote"
)

// external is a document by the caller's own id, and the series that it is in; "" for any that the caller may see.
type external struct{ id, series string }

// flags let a command take the caller's own id instead of ours.
func (e *external) flags(f *pflag.FlagSet) {
	f.StringVar(&e.id, "external-id", "", "find the document by your own id instead")
	f.StringVar(&e.series, "series", "", "the record series of --external-id, where several have it")
}

// args wants a document's id, unless --external-id names it.
func (e *external) args(_ *cobra.Command, args []string) error {
	switch {
	case e.id == "" && e.series != "":
		return errors.New("--series goes with --external-id; a document's id needs none")
	case e.id == "" && len(args) != 1:
		return errors.New("which document? give its id, or --external-id with your own")
	case e.id != "" && len(args) != 0:
		return errors.New("give either the document's id or --external-id, not both")
	}
	return nil
}

// documentID is the id of the document that a command is about: its argument, or what the server finds by the
// caller's own id.
func (e *external) documentID(ctx context.Context, r *remote.Client, args []string) (string, error) {
	if e.id == "" {
		return args[0], nil
	}
	return r.Find(ctx, e.series, e.id)
}
