package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"muniment/cmd/muniment/config"
)

// Group makes a command that only holds others: it says which, instead of doing nothing.
func Group(c *cobra.Command) *cobra.Command {
	c.Args = func(_ *cobra.Command, args []string) error {
		var names []string
		for _, sub := range c.Commands() {
			names = append(names, c.Name()+" "+sub.Name())
		}
		if len(args) > 0 {
			return fmt.Errorf("there is no %s %s; there is %s", c.Name(), args[0], strings.Join(names, ", "))
		}
		return fmt.Errorf("say which: %s", strings.Join(names, ", "))
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

// OneArgument accepts a single argument, and asks the question when it is missing.
func OneArgument(question string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || args[0] == "":
			return errors.New(question)
		case len(args) > 1:
			return fmt.Errorf("one at a time: %q is one too many", args[1])
		}
		return nil
	}
}

// ConfigFlags are the flags by which a command that opens the data folder finds it.
type ConfigFlags struct{ File, Data string }

// AddTo adds the flags to those of a command.
func (at *ConfigFlags) AddTo(f *pflag.FlagSet) {
	f.StringVar(&at.File, "config", "", "the server's configuration file, YAML")
	f.StringVar(&at.Data, "data", config.Default().Data, "the data folder (MUNIMENT_DATA)")
}

// LoadConfig is the configuration that a command's flags, the file that they name, and the environment come to. It is
// checked.
func (p *Program) LoadConfig(c *cobra.Command, at ConfigFlags) (config.Config, error) {
	cfg, err := config.Load(at.File, p.Getenv)
	if err != nil {
		return cfg, err
	}
	if c.Flags().Changed("data") {
		cfg.Data = at.Data
	}
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("checking the configuration: %w", err)
	}
	return cfg, nil
}
