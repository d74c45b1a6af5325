package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
)

func evidenceCommand(p *cli.Program) *cobra.Command {
	var doc external
	var disclose bool
	c := &cobra.Command{
		Use:   "evidence ID",
		Short: "Write the evidence file that muniment-verify checks",
		Long: `Writes a document's evidence file to standard output, byte for byte as the server made it.
It proves the document's record; with --disclose it also ties a copy of the content to it,
which needs a permission of its own and is on record.`,
		Example: "  muniment evidence --disclose 0190b5a0-7c1e-7000-8000-000000000001 > evidence.json",
		Args:    doc.args,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			id, err := doc.documentID(c.Context(), r, args)
			if err != nil {
				return err
			}
			file, err := r.Evidence(c.Context(), id, disclose)
			if err != nil {
				return err
			}
			if _, err := p.Stdout.Write(file); err != nil {
				return fmt.Errorf("writing the evidence: %w", err)
			}
			return nil
		},
	}
	doc.flags(c.Flags())
	c.Flags().BoolVar(&disclose, "disclose", false, "add the content's digest and salt")
	return c
}
