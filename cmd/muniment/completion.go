package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
)

// completionTime is how long a shell waits for the server.
const completionTime = time.Second

// complete says what a shell may offer for the flags and arguments of a command and those below it. Files and
// folders are left to the shell.
func complete(p *cli.Program, c *cobra.Command) {
	for name, offer := range map[string]cobra.CompletionFunc{
		"output": cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp),
		"state":  cobra.FixedCompletions([]string{"kept", "erased"}, cobra.ShellCompDirectiveNoFileComp),
		"role": cobra.FixedCompletions([]string{
			"depositor", "reader", "records_officer", "approver", "auditor", "key_custodian", "administrator",
		}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace),
		"series": offerSeries(p),
	} {
		if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
			_ = c.RegisterFlagCompletionFunc(name, offer) // fails only for a flag that is not there, or has one
		}
	}
	for name, kinds := range map[string][]string{"config": {"yaml", "yml"}, "manifest": {"csv"}, "receipts": {"csv"}} {
		if c.Flags().Lookup(name) != nil {
			_ = c.MarkFlagFilename(name, kinds...) // fails only for a flag that is not there
		}
	}
	for _, name := range []string{"data", "dir", "from", "verify", "to"} {
		if c.Flags().Lookup(name) != nil && (name != "to" || c.Name() == "backup") { // get writes a file to it
			_ = c.MarkFlagDirname(name)
		}
	}
	if c.Runnable() && c.ValidArgsFunction == nil && !takesFiles(c.Name()) {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, below := range c.Commands() {
		complete(p, below)
	}
}

// takesFiles says whether a command's arguments are files.
func takesFiles(name string) bool { return name == "put" || name == "demo" || name == "restore" }

// offerSeries offers the tenant's record series, as far as the server tells them. A shell is no place for errors.
func offerSeries(p *cli.Program) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(c.Context(), completionTime)
		defer cancel()
		r, err := remote.Connect(p)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := r.Series(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var codes []cobra.Completion
		for _, one := range all.Series {
			codes = append(codes, one.Code)
		}
		return codes, cobra.ShellCompDirectiveNoFileComp
	}
}
