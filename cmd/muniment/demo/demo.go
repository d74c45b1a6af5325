// Package demo shows the whole way of a document, from deposit to proof, and that tampering is caught.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/anchor/bounded"
	"muniment/anchor/evidence"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
)

// Command is demo.
func Command(p *cli.Program) *cobra.Command {
	var once bool
	var dir string
	c := &cobra.Command{
		Use:   "demo [FILE|DIR …]",
		Short: "Show the whole way of a document, from deposit to proof, with everything embedded",
		Long: `Starts a server on this machine, deposits the files given (folders with all that is in them)
or else a built-in set of synthetic documents, anchors, reads everything back and verifies
each document as an auditor would. Then it tampers with a copy of the data, and shows how
that is caught. It changes none of the files given.`,
		Example: "  muniment demo\n  muniment demo --once --dir /tmp/try ~/papers",
		RunE: func(c *cobra.Command, args []string) error {
			sources, err := sourcesOf(args)
			if err != nil {
				return err
			}
			return demonstrate(c.Context(), p, sources, dir, once)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "end when everything has been shown, instead of serving on")
	c.Flags().StringVar(&dir, "dir", "",
		"keep everything in this folder (default: a temporary one, removed at the end)")
	return c
}

// demo is one demonstration.
type demo struct {
	out       io.Writer
	dir       string // holds data/, evidence/, and the API keys: token, administrator.token, approver.token
	sources   []source
	documents []*document
	service   *node.Server
	remote    *remote.Client
	policy    *evidence.Policy
}

// document is a document of the demonstration, once it was deposited.
type document struct {
	source
	id       string
	digest   []byte // of the source, as an auditor would compute it
	evidence []byte // the evidence file
}

func demonstrate(ctx context.Context, p *cli.Program, sources []source, dir string, once bool) (err error) {
	temporary := dir == ""
	if temporary {
		if dir, err = os.MkdirTemp("", "muniment-demo-*"); err != nil {
			return fmt.Errorf("making a folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	d := &demo{out: p.Stdout, sources: sources}
	if d.dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("finding the folder: %w", err)
	}
	if err := d.checkFolder(); err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	if err := d.start(ctx, d.data()); err != nil {
		return err
	}
	defer func() {
		if d.service != nil {
			err = errors.Join(err, d.stop())
		}
	}()
	d.say("Muniment, everything on this machine, over HTTP\n")
	d.line("data", d.data())
	d.line("server", d.service.URL())
	for _, step := range []func(context.Context) error{d.found, d.deposit, d.anchor, d.read, d.verify, d.tamper} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if once {
		d.next(temporary)
		return nil
	}
	return d.serveOn(ctx, temporary)
}

// serveOn serves the data that is whole until interrupted.
func (d *demo) serveOn(ctx context.Context, temporary bool) error {
	if err := d.start(ctx, d.data()); err != nil {
		return err
	}
	d.try("MUNIMENT_URL="+d.service.URL(), temporary)
	token, err := bounded.ReadFile(d.tokenFile(), bounded.Small)
	if err != nil {
		return fmt.Errorf("reading the API key: %w", err)
	}
	d.say("\nServing until interrupted\n")
	d.line("URL", d.service.URL())
	d.line("API key", strings.TrimSpace(string(token)))
	select {
	case <-ctx.Done():
		return nil
	case <-d.service.Node.Journal.Stopped():
		return fmt.Errorf("the journal has stopped: %w", d.service.Node.Journal.Err())
	}
}

// checkFolder refuses a folder that holds something of the same name that no demonstration has made.
func (d *demo) checkFolder() error {
	f := node.Folder(d.data())
	have, err := f.Inventory()
	if err != nil {
		return err
	}
	if found, err := f.State(have); err != nil || found != node.Fresh {
		return err
	}
	for _, path := range []string{
		d.data(), d.tokenFile(), d.founderFile("administrator"), d.founderFile("approver"), d.proofs(),
	} {
		if _, err := os.Lstat(path); err == nil {
			return cli.Hint(fmt.Errorf("%s is there already, and no demonstration has made it", path),
				"give demo a folder of its own with --dir")
		}
	}
	return nil
}

func (d *demo) data() string      { return filepath.Join(d.dir, "data") }
func (d *demo) proofs() string    { return filepath.Join(d.dir, "evidence") }
func (d *demo) tokenFile() string { return filepath.Join(d.dir, "token") }

// founderFile holds the API key of one of the two founders.
func (d *demo) founderFile(role string) string { return filepath.Join(d.dir, role+".token") }

// say writes a line of text, line one of the table that the demonstration is.
func (d *demo) say(text string)        { fmt.Fprintln(d.out, text) }
func (d *demo) line(what, text string) { fmt.Fprintf(d.out, "  %-10s %s\n", what, cli.Visible(text)) }

// shutdownTime is how long the demonstration's server lets calls end.
const shutdownTime = 5 * time.Second

// start serves a data folder on a free port of this machine, and finds its API key.
func (d *demo) start(ctx context.Context, data string) error {
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.AdminListen = data, "127.0.0.1:0", "127.0.0.1:0"
	s, err := node.Listen(ctx, cfg, slog.New(slog.DiscardHandler), node.OpenStorage)
	if err != nil {
		return err
	}
	token, err := d.token(s)
	if err != nil {
		return errors.Join(err, s.Stop(shutdownTime))
	}
	s.Serve()
	if d.remote, err = remote.New(s.URL(), token, remote.NewTransport(clients)); err != nil {
		return errors.Join(err, s.Stop(shutdownTime))
	}
	d.service = s
	return nil
}

func (d *demo) stop() error {
	s := d.service
	d.service = nil
	d.remote.Close()
	return s.Stop(shutdownTime)
}

// token keeps the API key of a fresh folder in a file beside it, and finds it there the next time.
func (d *demo) token(s *node.Server) (string, error) {
	if s.Node.Storage.Found == node.Fresh {
		key := s.Node.Bootstrap.Reveal()
		if err := keepKey(d.tokenFile(), key); err != nil {
			return "", err
		}
		return key, s.EndFirstStart()
	}
	key, err := bounded.ReadFile(d.tokenFile(), bounded.Small)
	if err != nil {
		return "", cli.Hint(fmt.Errorf("reading the API key of the vault in %s: %w", d.dir, err),
			"give demo a folder of its own with --dir")
	}
	return strings.TrimSpace(string(key)), nil
}

func keepKey(path, key string) error {
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		return fmt.Errorf("keeping the API key: %w", err)
	}
	return nil
}

// next says what to try when the demonstration has ended.
func (d *demo) next(temporary bool) {
	if !temporary {
		d.try("MUNIMENT_URL="+config.DefaultURL, false)
		d.say("\n  with the server: muniment serve --data " + d.data())
		return
	}
	d.say("\nWhat to try next\n")
	d.say("  go install ./cmd/...               muniment and muniment-verify, to run without go run")
	d.say("  muniment demo                      the same, and it goes on serving")
	d.say("  muniment demo --once --dir try     keeps the data, the evidence files and the API key in ./try")
	d.say("  muniment demo --once FOLDER        with your own files, which it only reads")
	d.say("  muniment serve --data FOLDER       a vault of your own; cmd/muniment/README.md is the operator's guide")
}

// try says what to try with the data of the demonstration.
func (d *demo) try(url string, temporary bool) {
	first := d.documents[0]
	d.say("\nWhat to try next, in another terminal\n")
	d.say("  go install ./cmd/...               muniment and muniment-verify, to run without go run")
	d.say("  export " + url + " MUNIMENT_TOKEN_FILE=" + d.tokenFile())
	d.say("  muniment ls")
	d.say("  muniment get " + first.id + " --purpose demo")
	d.say("  muniment history " + first.id)
	d.say("  muniment principal list")
	d.say("  muniment-verify " + first.proofFile(d) + " --policy " + node.Folder(d.data()).Policy())
	d.say("  muniment put README.md && muniment anchor now")
	if temporary {
		d.say("\n  All of it is removed when this ends; --dir keeps it.")
	}
}
