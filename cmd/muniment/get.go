package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
)

func getCommand(p *cli.Program) *cobra.Command {
	var doc external
	var to string
	var g remote.ReadOptions
	c := &cobra.Command{
		Use:   "get ID --purpose CODE",
		Short: "Read a document's content; the read goes on record",
		Long: `Reads a document to standard output, or to the file that --to names. Every read states its
purpose, a code of your house, and is on record before the first byte leaves the server. The
file appears under its name when all of it is there.`,
		Example: "  muniment get 0190b5a0-7c1e-7000-8000-000000000001 --purpose audit --to plan.pdf",
		Args: func(c *cobra.Command, args []string) error {
			if err := doc.args(c, args); err != nil {
				return err
			}
			if g.Purpose == "" {
				return errors.New("why is it read? give --purpose CODE, such as audit")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			id, err := doc.documentID(c.Context(), r, args)
			if err != nil {
				return err
			}
			if _, shown := cli.IsTerminal(p.Stdout); !shown || to != "" {
				g.Progress = p.Stderr
			}
			if to != "" {
				return readTo(c.Context(), r, id, g, to)
			}
			return r.Read(c.Context(), id, g, p.Stdout)
		},
	}
	f := c.Flags()
	doc.flags(f)
	f.StringVar(&g.Purpose, "purpose", "", "why it is read, as a code: letters a to z, digits and dashes")
	f.StringVar(&g.Note, "note", "", "the purpose in words")
	f.StringVar(&g.Range, "range", "", "a byte range, such as bytes=0-1023")
	f.StringVar(&to, "to", "", "the file to write; it must not exist yet")
	return c
}

// readTo writes beside the file and renames, so that a broken read leaves no file that looks whole.
func readTo(ctx context.Context, r *remote.Client, id string, g remote.ReadOptions, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s exists already; name another file", to)
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".muniment-*")
	if err != nil {
		return fmt.Errorf("making a file beside %s: %w", to, err)
	}
	if err = r.Read(ctx, id, g, f); err == nil {
		err = f.Sync() // before it has its name: no crash leaves a part of it under that
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Link(f.Name(), to) // unlike a rename, it replaces nothing
	}
	return errors.Join(err, os.Remove(f.Name()))
}
