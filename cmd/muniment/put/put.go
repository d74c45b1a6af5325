// Package put deposits files, folders, standard input, or what a manifest lists, and writes the receipts.
package put

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// putHelp explains put to a person who is about to use it.
const putHelp = `Deposits files and writes their receipts. - is standard input.

A folder is deposited with all files in it and below it. Symbolic links in it are not
followed, nor are devices and the like; files and folders whose name begins with a dot are
left out unless --hidden says otherwise. Each file of a folder gets an attribute "path",
which begins with the folder's own name.

A put that broke off is simply repeated. Each file is sent with an idempotency key that
follows from its content, its path below what was named, and its metadata, so what is kept
already gives its first receipt again and never a second document. To keep a second copy on
purpose, give a title or an --idempotency-key that differs. Standard input has no such key:
give it one, or an --external-id, if it may have to be repeated.

A server that cannot be reached, or that says when to come again, is asked again for
--retry-for. Files that could not be deposited are listed at the end, with what to do; the
exit code is then 1.

A nightly job uses a manifest, a CSV file (RFC 4180, UTF-8) whose first line names its
columns: path, and if wanted external_id, title, file_name, series, record_date, media_type,
chain, transaction, role, and attr:NAME for each attribute. Paths are relative to the
manifest's folder. Every row is checked before the first upload. --receipts names a CSV file
to which a line is added, and synced to the disk, as each document is acknowledged. It is
what a repeated run goes by: rows that have their receipt are left out, whatever is in the
file now, and the rest is done. Its columns are line, path, external_id, document_id, index,
leaf (in hexadecimal), status (created, replayed, failed), error, time and row, which is the
row's fingerprint. Text in it that a spreadsheet could take for a formula has an apostrophe
before it.`

// options is what the flags of put say.
type options struct {
	remote.Deposit
	attributes         []string
	hidden             bool
	jobs               int
	retryFor           time.Duration
	manifest, receipts string
}

// Command is put.
func Command(p *cli.Program) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "put FILE|FOLDER|-… | put --manifest IN.csv --receipts OUT.csv",
		Short: "Deposit files, folders, standard input, or what a manifest lists",
		Long:  putHelp,
		Example: "  muniment put --series default --title 'Site plan' plan.pdf\n" +
			"  muniment put --series default scans/\n" +
			"  pg_dump registry | muniment put - --file-name registry.sql --external-id backup/2026-11-22\n" +
			"  muniment put --manifest tonight.csv --receipts tonight-receipts.csv",
		Args: func(c *cobra.Command, args []string) error { return o.check(c, args) },
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Attributes, err = pairs(o.attributes); err != nil {
				return err
			}
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			if o.manifest != "" {
				return putManifest(c.Context(), p, r, o)
			}
			return putFiles(c.Context(), p, r, o, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Series, "series", "", "the record series (default: the tenant's default series)")
	f.StringVar(&o.ExternalID, "external-id", "", "your own id for the document")
	f.StringVar(&o.Title, "title", "", "the title")
	f.StringVar(&o.FileName, "file-name", "", "the file name (default: the file's own)")
	f.StringVar(&o.MediaType, "media-type", "", "the media type (default: by the file name)")
	f.StringVar(&o.RecordDate, "record-date", "", "the record's own date, 2026-11-22")
	f.StringArrayVar(&o.attributes, "attribute", nil, "name=value; may be repeated")
	f.StringArrayVar(&o.LedgerRefs, "ledger-ref", nil, "'CHAIN TRANSACTION [ROLE]' that it supports; may be repeated")
	f.StringVar(&o.IdempotencyKey, "idempotency-key", "", "your own key instead of the one that follows from the file")
	f.BoolVar(&o.hidden, "hidden", false, "also what begins with a dot in folders")
	f.IntVar(&o.jobs, "jobs", 4, "how many uploads at once")
	f.DurationVar(&o.retryFor, "retry-for", time.Minute,
		"how long to ask again a server that is not there or not ready; 0 for never")
	f.StringVar(&o.manifest, "manifest", "", "a CSV file that lists what to deposit; with --receipts")
	f.StringVar(&o.receipts, "receipts", "",
		"the CSV file to which receipts are added, and by which a repeated run goes on")
	return c
}

// check refuses arguments that do not go together.
func (o *options) check(c *cobra.Command, args []string) error {
	switch {
	case o.jobs < 1 || o.jobs > 64:
		return errors.New("--jobs wants a number from 1 to 64")
	case o.retryFor < 0:
		return errors.New("--retry-for wants a time such as 1m, or 0")
	case (o.manifest == "") != (o.receipts == ""):
		return errors.New("--manifest and --receipts go together")
	case o.manifest != "":
		return o.checkManifest(c, args)
	case len(args) == 0:
		return errors.New("what is to be deposited? name files or folders, - for standard input, or a --manifest")
	}
	if n := len(args) - len(slices.Compact(slices.Sorted(slices.Values(args)))); n > 0 {
		return errors.New("a file is named twice")
	}
	return nil
}

// checkManifest refuses what belongs to files on the command line.
func (o *options) checkManifest(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.New("give either files or a --manifest, not both")
	}
	for _, name := range []string{
		"series", "external-id", "title", "file-name", "media-type", "record-date", "attribute", "ledger-ref",
		"idempotency-key", "hidden",
	} {
		if c.Flags().Changed(name) {
			return fmt.Errorf("--%s is not for a manifest, which has columns for such things", name)
		}
	}
	return nil
}

// put deposits what the arguments name and writes the receipts of what was deposited, also when something was not.
func putFiles(ctx context.Context, p *cli.Program, r *remote.Client, o options, args []string) error {
	items, skipped, err := gather(o.Deposit, args, o.hidden, p.Stdin)
	if err != nil {
		return err
	}
	if skipped.any() {
		fmt.Fprintf(p.Stderr, "left out: %s\n", skipped)
	}
	if len(items) == 0 {
		return errors.New("there is no file to deposit in what was named")
	}
	if len(items) > 1 && o.ExternalID+o.FileName+o.Title+o.IdempotencyKey != "" {
		return errors.New("--external-id, --file-name, --title and --idempotency-key are of one document; give " +
			"one file")
	}
	up := newUploads(p.Stderr, r, o, items)
	kept := make([]*openapi.Deposit, len(items))
	up.done = func(i int, out *openapi.Deposit, _ error) error {
		if out != nil && !p.JSON() {
			out.Receipt = openapi.Receipt{Index: out.Receipt.Index} // the table shows no more, and there may be many
		}
		kept[i] = out
		return nil
	}
	outcome := up.run(ctx)
	kept = slices.DeleteFunc(kept, func(d *openapi.Deposit) bool { return d == nil })
	err = p.Emit(kept, func(t *cli.Table) {
		if len(kept) == 0 {
			return
		}
		t.Row("ID", "INDEX>", "SIZE>", "SERIES", "NAME~")
		for _, one := range kept {
			t.Row(one.ID, one.Receipt.Index, cli.Size(one.Document.Size), one.Document.Series,
				remote.Text(one.Document.FileName))
		}
	})
	return errors.Join(outcome.report(p.Stderr), err)
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
