// Command muniment keeps documents as evidence: it serves the vault, and has a subcommand for each thing that an
// operator, officer or auditor does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, &cli.Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv},
		node.OpenStorage, os.Args[1:])
	stop()
	os.Exit(code)
}
