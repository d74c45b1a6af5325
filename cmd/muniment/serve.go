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
	"muniment/cmd/muniment/remote"
	"muniment/vault/people"
)

func serveCommand(p *cli.Program, open node.Opener) *cobra.Command {
	var file, data, listen, admin string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a data folder over HTTP",
		Long: `Serves a data folder, and makes it if there is none. It needs no configuration. Standard
output has the URL, and on the first start what the first people need, shown this once: by
itself, the vault is on trial, and a second line has its one API key. Where the
configuration names S3 or Vault, two people found it: a line for each has a one-time code,
with which they make keys of their own. The log goes to standard error.`,
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
	err = announce(p, s, log)
	if err == nil {
		err = s.Run(ctx)
	}
	log.Info("shutting down")
	return errors.Join(err, s.Stop(time.Duration(cfg.Shutdown)))
}

// announce prints the URL and then, this once, the API key of a tenant that was just made on trial, or what the two
// people run who are to found one. The log says what that is, without the secrets.
func announce(p *cli.Program, s *node.Server, log *slog.Logger) error {
	out := s.URL() + "\n"
	if !s.Node.Bootstrap.IsZero() {
		out += s.Node.Bootstrap.Reveal() + "\n"
		log.Info("the vault is on trial: the API key on standard output may nearly everything, and nothing that " +
			"takes two people can be done; two people end the trial: muniment principal found")
	}
	if f := s.Node.Founding; f != nil {
		out += founderLine(remote.AdministratorLine, f.Administrator) + founderLine(remote.ApproverLine, f.Approver)
		log.Info("the vault waits for its founding: two people run what standard output has for each, on terminals "+
			"of their own, with MUNIMENT_URL set to where this server is reached; a start before both have makes "+
			"new codes",
			"administrator", f.Administrator.Principal, "approver", f.Approver.Principal, "lapses", lapse(f))
	}
	if _, err := io.WriteString(p.Stdout, out); err != nil {
		return fmt.Errorf("printing the URL: %w", err)
	}
	return s.EndFirstStart()
}

// founderLine is what a founder runs; nothing for one who has claimed their key.
func founderLine(begins string, f people.FounderCode) string {
	if f.Code.IsZero() {
		return ""
	}
	return begins + "muniment principal claim --name 'YOUR NAME' " + f.Code.Reveal() + "\n"
}

// lapse is when the first of the codes lapses.
func lapse(f *people.Founding) time.Time {
	first := f.Administrator.Lapses
	if first.IsZero() || !f.Approver.Lapses.IsZero() && f.Approver.Lapses.Before(first) {
		first = f.Approver.Lapses
	}
	return first.UTC()
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
