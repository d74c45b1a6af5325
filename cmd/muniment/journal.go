package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func journalCommand(p *cli.Program) *cobra.Command {
	c := &cobra.Command{Use: "journal", Short: "The log of everything that happened"}
	c.AddCommand(checkpointCommand(p), entriesCommand(p), tailCommand(p), timeCommand(p), acknowledgeCommand(p))
	return cli.Group(c)
}

func checkpointCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "checkpoint",
		Short: "Write the newest signed checkpoint (C2SP tlog-checkpoint)",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			checkpoint, err := r.Checkpoint(c.Context())
			if err != nil {
				return err
			}
			if p.JSON() {
				return p.Emit(map[string]string{"checkpoint": string(checkpoint)}, nil)
			}
			if _, err := p.Stdout.Write(checkpoint); err != nil {
				return fmt.Errorf("writing the checkpoint: %w", err)
			}
			return nil
		},
	}
}

func entriesCommand(p *cli.Program) *cobra.Command {
	var after uint64
	var limit int
	c := &cobra.Command{
		Use:   "entries",
		Short: "Write the tenant's events in the order of their numbers",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			page, err := r.Entries(c.Context(), after, limit, 0)
			if err != nil {
				return err
			}
			return p.Emit(page, func(t *cli.Table) { entryRows(t, page.Entries) })
		},
	}
	c.Flags().Uint64Var(&after, "after", 0, "begin after this number")
	c.Flags().IntVar(&limit, "limit", 100, "at most so many, up to 500")
	return c
}

// tailWait is how long one call waits for news, in seconds.
const tailWait = 30

func tailCommand(p *cli.Program) *cobra.Command {
	var after uint64
	c := &cobra.Command{
		Use:   "tail",
		Short: "Follow the tenant's events, until interrupted",
		Long: `Writes a line for each event, and waits for more. With -o json each line is one entry, with
its body and nonce.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			for c.Context().Err() == nil {
				page, err := r.Entries(c.Context(), after, remote.MaxPage, tailWait)
				if c.Context().Err() != nil {
					return nil
				}
				if err != nil {
					return err
				}
				if err := writeEntries(p, page.Entries); err != nil {
					return err
				}
				after = page.Next
			}
			return nil
		},
	}
	c.Flags().Uint64Var(&after, "after", 0, "begin after this number")
	return c
}

func writeEntries(p *cli.Program, entries []openapi.Entry) error {
	for _, e := range entries {
		if p.JSON() {
			if err := json.NewEncoder(p.Stdout).Encode(e); err != nil {
				return fmt.Errorf("writing an entry: %w", err)
			}
			continue
		}
		_, err := fmt.Fprintf(p.Stdout, "%8d  %s  %-28s %-14s %s\n", e.Seq,
			e.At.Format("2006-01-02 15:04:05.000"), e.Type, cli.Visible(actor(e)), remote.Text(e.Document))
		if err != nil {
			return fmt.Errorf("writing an entry: %w", err)
		}
	}
	return nil
}
