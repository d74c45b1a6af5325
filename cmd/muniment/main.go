// Command muniment keeps documents as evidence: it serves the vault, and has a subcommand for each thing that an
// operator, officer or auditor does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/backup"
	"muniment/cmd/muniment/bench"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/demo"
	"muniment/cmd/muniment/doctor"
	"muniment/cmd/muniment/fsck"
	"muniment/cmd/muniment/key"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/principal"
	"muniment/cmd/muniment/put"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, &cli.Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv},
		node.OpenStorage, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs the program with the arguments after its name, and returns the exit code. open opens the data folders that
// are served; tests put faults between.
func run(ctx context.Context, p *cli.Program, open node.Opener, args []string) int {
	return p.Run(ctx, rootCommand(p, open), args)
}

// rootCommand is the command that all others stand below.
func rootCommand(p *cli.Program, open node.Opener) *cobra.Command {
	root := &cobra.Command{
		Use:   "muniment",
		Short: "Keeps documents as evidence, and proves it to strangers",
		Long: `Muniment keeps the supporting documents of ledger transactions: encrypted, on record,
anchored, and provable to somebody who trusts none of us. Start with "muniment demo".
"muniment completion bash" (zsh, fish, powershell) writes a script by which your shell
completes commands, flags, files and series; its --help says where to put it.`,
	}
	p.AddFlags(root)
	root.AddCommand(
		demo.Command(p), serveCommand(p, open),
		put.Command(p), getCommand(p), lsCommand(p), evidenceCommand(p), historyCommand(p),
		anchorCommand(p), journalCommand(p), seriesCommand(p), purposeCommand(p), key.Command(p), principal.Command(p),
		principal.WhoAmICommand(p),
		doctor.Command(p), fsck.Command(p), backup.Command(p), backup.RestoreCommand(p), bench.Command(p),
		versionCommand(p),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	complete(p, root)
	return root
}
