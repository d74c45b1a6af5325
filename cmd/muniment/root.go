package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/config"
)

// The exit codes, which README.md explains.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 3 // as muniment-verify has it
)

// surroundings are what a command has around it. Data goes to stdout, everything else to stderr.
type surroundings struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	open           opener // of data folders to be served
}

// program is one run of the program.
type program struct {
	surroundings
	format     string // table or json
	connection config.Connection
	token      string // as the flag gave it
	running    bool   // the arguments were understood
}

// run is the whole program but for the process around it. It returns the exit code.
func run(ctx context.Context, around surroundings, args []string) int {
	p := &program{surroundings: around}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	about, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(p.stderr, "muniment: %v\n", err)
	var hinted *hintedError
	if errors.As(err, &hinted) {
		fmt.Fprintf(p.stderr, "  → %s\n", hinted.next)
	}
	if !p.running {
		fmt.Fprintf(p.stderr, "  → %s says what there is\n", helpOn(about))
		return exitUsage
	}
	return exitFailed
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "muniment",
		Short: "Keeps documents as evidence, and proves it to strangers",
		Long: `Muniment keeps the supporting documents of ledger transactions: encrypted, on record, anchored, and provable to
somebody who trusts none of us. Start with "muniment demo". "muniment completion bash" (zsh, fish, powershell) writes a script
by which your shell completes commands, flags, files and series; its --help says where to put it.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if p.format != "table" && p.format != "json" {
				return fmt.Errorf("-o %s is unknown; write -o table or -o json", p.format)
			}
			if p.token != "" {
				p.connection.Token = config.NewSecret(p.token)
			}
			p.running = true
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&p.format, "output", "o", "table", "how to write results: table or json")
	flags.StringVar(&p.connection.URL, "url", "", "the server's URL (MUNIMENT_URL; default "+config.DefaultURL+")")
	flags.StringVar(&p.token, "token", "", "the API key, mun_… (MUNIMENT_TOKEN)")
	flags.StringVar(&p.connection.TokenFile, "token-file", "", "a file that holds the API key (MUNIMENT_TOKEN_FILE)")
	root.AddCommand(
		demoCommand(p), serveCommand(p),
		putCommand(p), getCommand(p), lsCommand(p), evidenceCommand(p), historyCommand(p),
		anchorCommand(p), journalCommand(p), seriesCommand(p), keyCommand(p), principalCommand(p),
		doctorCommand(p), fsckCommand(p), backupCommand(p), restoreCommand(p), benchCommand(p), versionCommand(p),
	)
	refuseUnknownHelp(root)
	root.InitDefaultCompletionCmd()
	complete(p, root)
	return root
}

// helpOn is the command line that shows a command's help.
func helpOn(c *cobra.Command) string {
	name := strings.TrimPrefix(c.CommandPath(), c.Root().Name())
	if c.Name() == "help" {
		name = ""
	}
	return c.Root().Name() + " help" + name
}

// refuseUnknownHelp has "help" fail for what is no command, as a command that is not there does.
func refuseUnknownHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		return
	}
	help.Args = func(_ *cobra.Command, args []string) error {
		found, rest, err := root.Find(args)
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			return fmt.Errorf("there is no command %s %s", found.CommandPath(), rest[0])
		}
		return nil
	}
}

// hintedError is an error with what to do next.
type hintedError struct {
	err  error
	next string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// hint adds what to do next to an error.
func hint(err error, next string) error { return &hintedError{err, next} }
