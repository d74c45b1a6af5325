package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"muniment/openapi"
)

func (p *program) putCommand() *cobra.Command {
	var d deposit
	var attributes []string
	c := &cobra.Command{
		Use:   "put FILE…",
		Short: "Deposit files; - is standard input",
		Long: `Deposits files and writes their receipts. A regular file's SHA-256 is sent along, so that a file which changes in
between is refused. With --external-id the same command can be repeated: the same content gives the first receipt.`,
		Example: "  muniment put --series default --title 'Site plan' plan.pdf",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 && d.externalID+d.fileName+d.title+d.idempotencyKey != "" {
				return errors.New("--external-id, --name, --title and --idempotency-key are of one document; give one file")
			}
			var err error
			if d.attributes, err = pairs(attributes); err != nil {
				return err
			}
			r, err := p.server()
			if err != nil {
				return err
			}
			return p.put(c.Context(), r, d, args)
		},
	}
	f := c.Flags()
	f.StringVar(&d.series, "series", "", "the record series (default: the tenant's default series)")
	f.StringVar(&d.externalID, "external-id", "", "your own id for the document")
	f.StringVar(&d.title, "title", "", "the title")
	f.StringVar(&d.fileName, "name", "", "the file name (default: the file's own)")
	f.StringVar(&d.mediaType, "type", "", "the media type (default: by the file name)")
	f.StringVar(&d.recordDate, "record-date", "", "the record's own date, 2026-11-22")
	f.StringArrayVar(&attributes, "attribute", nil, "name=value; may be repeated")
	f.StringArrayVar(&d.ledgerRefs, "ledger-ref", nil, "'CHAIN TRANSACTION [ROLE]' that it supports; may be repeated")
	f.StringVar(&d.idempotencyKey, "idempotency-key", "", "makes repeating the command safe")
	return c
}

// put deposits each file and writes the receipts of those that were, also when a later one fails.
func (p *program) put(ctx context.Context, r *remote, d deposit, names []string) error {
	var out []*openapi.Deposit
	var failed error
	for i, name := range names {
		one, err := p.putFile(ctx, r, d, name)
		if err != nil {
			failed = fmt.Errorf("depositing %s: %w", name, err)
			if errors.Is(err, context.Canceled) {
				failed = hint(failed, "whether it was kept is not known; muniment ls shows it; "+
					"with --idempotency-key or --external-id the same command is safe to repeat")
			}
			if len(names) > 1 {
				fmt.Fprintf(p.stderr, "%d of %d deposited; not tried: %d; repeat with the remaining files only\n",
					len(out), len(names), len(names)-i-1)
			}
			break
		}
		out = append(out, one)
	}
	err := p.emit(out, func(t *tableWriter) {
		if len(out) == 0 {
			return
		}
		t.row("ID", "INDEX>", "SIZE>", "SERIES", "NAME")
		for _, one := range out {
			t.row(one.ID, one.Receipt.Index, size(one.Document.Size), one.Document.Series, text(one.Document.FileName))
		}
	})
	return errors.Join(failed, err)
}

func (p *program) putFile(ctx context.Context, r *remote, d deposit, name string) (*openapi.Deposit, error) {
	d.length, d.content = -1, p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := d.fromFile(f); err != nil {
			return nil, err
		}
	}
	return r.deposit(ctx, d)
}

// fromFile fills in what a file says of itself.
func (d *deposit) fromFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a folder; name the files in it")
	}
	if d.fileName == "" {
		d.fileName = filepath.Base(f.Name())
	}
	if d.mediaType == "" {
		d.mediaType = mime.TypeByExtension(filepath.Ext(d.fileName))
	}
	d.content = f
	if !info.Mode().IsRegular() {
		return nil
	}
	digest := sha256.New()
	if d.length, err = io.Copy(digest, f); err != nil {
		return err
	}
	d.digest = digest.Sum(nil)
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// pairs reads name=value pairs.
func pairs(in []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range in {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--attribute %q: write it like form=B-12", pair)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("--attribute %s is given twice; keep one", name)
		}
		out[name] = value
	}
	return out, nil
}

// text is the string that s points to, or "".
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
