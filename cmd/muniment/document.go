package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"muniment/cmd/muniment/remote"
)

// externalFlag lets a command take the caller's own id instead of ours.
func externalFlag(f *pflag.FlagSet, external *string) {
	f.StringVar(external, "external-id", "", "find the document by your own id instead")
}

// idOrExternal wants a document's id, unless --external-id names it.
func idOrExternal(external *string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case *external == "" && len(args) != 1:
			return errors.New("which document? give its id, or --external-id with your own")
		case *external != "" && len(args) != 0:
			return errors.New("give either the document's id or --external-id, not both")
		}
		return nil
	}
}

// documentID is the id of the document that a command is about: its argument, or what the server finds by the
// caller's own id.
func documentID(ctx context.Context, r *remote.Client, args []string, external string) (string, error) {
	if external == "" {
		return args[0], nil
	}
	return r.Find(ctx, external)
}
