// Package cli is what every command needs of a terminal: flags, tables, progress, and what to do next.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/config"
)

// Version is that of the next release, as CHANGELOG.md has it.
const Version = "0.1.0-dev"

// The exit codes, which README.md explains.
const (
	ExitDone   = 0
	ExitFailed = 1
	exitUnsure = 2 // checked, not authenticated; as muniment-verify has it
	exitUsage  = 3 // as muniment-verify has it
)

// Program is one run of the program: its streams, its environment, and the flags that every command has. Data goes to
// Stdout, everything else to Stderr.
type Program struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Connection     config.Connection // as the flags gave it
	format         string            // table or json
	token          string            // as the flag gave it
	running        bool              // the arguments were understood
}

// JSON says whether results are written as JSON, not as tables.
func (p *Program) JSON() bool { return p.format == "json" }

// AddFlags gives a root command the flags that every command has.
func (p *Program) AddFlags(root *cobra.Command) {
	root.SilenceUsage, root.SilenceErrors = true, true // run writes both, in its own way
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if p.format != "table" && p.format != "json" {
			return fmt.Errorf("-o %s is unknown; write -o table or -o json", p.format)
		}
		if p.token != "" {
			p.Connection.Token = config.NewSecret(p.token)
		}
		p.running = true
		return nil
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&p.format, "output", "o", "table", "how to write results: table or json")
	flags.StringVar(&p.Connection.URL, "url", "", "the server's URL (MUNIMENT_URL; default "+config.DefaultURL+")")
	flags.StringVar(&p.token, "token", "", "the API key, mun_… (MUNIMENT_TOKEN)")
	flags.StringVar(&p.Connection.TokenFile, "token-file", "", "a file that holds the API key (MUNIMENT_TOKEN_FILE)")
}

// Run runs a root command that AddFlags was given, with the arguments after the program's name. It says what went wrong
// and what to do about it, and returns the exit code.
func (p *Program) Run(ctx context.Context, root *cobra.Command, args []string) int {
	refuseUnknownHelp(root)
	root.SetArgs(args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	about, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitDone
	}
	fmt.Fprintf(p.Stderr, "muniment: %v\n", err)
	if next, ok := HintOf(err); ok {
		fmt.Fprintf(p.Stderr, "  → %s\n", next)
	}
	if !p.running {
		fmt.Fprintf(p.Stderr, "  → %s says what there is\n", helpOn(about))
		return exitUsage
	}
	if errors.Is(err, ErrUnauthenticated) {
		return exitUnsure
	}
	return ExitFailed
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
