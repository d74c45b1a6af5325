package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
)

func serveCommand(p *cli.Program, open node.Opener) *cobra.Command {
	var file, data, listen, admin string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a data folder over HTTP",
		Long: `Serves a data folder, and makes it if there is none. It needs no configuration. Standard
output has the URL, and on the first start a second line with the bootstrap API key, which
is shown this once. The log goes to standard error.`,
		Example: "  muniment serve --data /srv/muniment\n  muniment serve --config /etc/muniment/muniment.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, p.Getenv)
			if err != nil {
				return err
			}
			for flag, set := range map[string]struct{ from, to *string }{
				"data": {&data, &cfg.Data}, "listen": {&listen, &cfg.Listen},
				"admin-listen": {&admin, &cfg.AdminListen},
			} {
				if c.Flags().Changed(flag) {
					*set.to = *set.from
				}
			}
			if err := cfg.Check(); err != nil {
				return fmt.Errorf("checking the configuration: %w", err)
			}
			return serve(c.Context(), p, open, cfg)
		},
	}
	def := config.Default()
	f := c.Flags()
	f.StringVar(&file, "config", "", "the configuration file, YAML")
	f.StringVar(&data, "data", def.Data, "the data folder")
	f.StringVar(&listen, "listen", def.Listen, "the address of the API; port 0 takes a free one")
	f.StringVar(&admin, "admin-listen", def.AdminListen, "the address of /livez, /readyz and /metrics; keep it private")
	return c
}

func serve(ctx context.Context, p *cli.Program, open node.Opener, cfg config.Config) error {
	log, err := newLogger(p.Stderr, cfg.Log)
	if err != nil {
		return err
	}
	s, err := node.Listen(ctx, cfg, log, open)
	if err != nil {
		return err
	}
	err = announce(p, s)
	if err == nil {
		err = s.Run(ctx)
	}
	log.Info("shutting down")
	return errors.Join(err, s.Stop(time.Duration(cfg.Shutdown)))
}

// announce prints the URL and, of a folder that was just made, the bootstrap API key.
func announce(p *cli.Program, s *node.Server) error {
	out := s.URL() + "\n"
	if s.Node.Created {
		out += s.Node.Bootstrap.Reveal() + "\n"
	}
	if _, err := io.WriteString(p.Stdout, out); err != nil {
		return fmt.Errorf("printing the URL: %w", err)
	}
	return s.EndFirstStart()
}

// newLogger makes the log.
func newLogger(w io.Writer, cfg config.Log) (*slog.Logger, error) {
	level, err := cfg.SlogLevel()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}
