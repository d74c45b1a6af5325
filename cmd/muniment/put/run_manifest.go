package put

import (
	"context"
	"errors"
	"fmt"
	"os"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// manifestResult says what became of a manifest's rows.
type manifestResult struct {
	Rows     int `json:"rows"`
	Created  int `json:"created"`
	Replayed int `json:"replayed"`
	Skipped  int `json:"skipped"` // have had their receipts
	Failed   int `json:"failed"`
	Untried  int `json:"untried"`
}

// putManifest deposits what a manifest lists and has no receipt yet.
func putManifest(ctx context.Context, p *cli.Program, r *remote.Client, o options) (err error) {
	if sameFile(o.manifest, o.receipts) {
		return errors.New("--manifest and --receipts name the same file")
	}
	rows, err := readManifest(o.manifest)
	if err != nil {
		return err
	}
	kept, err := openReceipts(o.receipts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.close()) }()
	if kept.torn {
		fmt.Fprintf(p.Stderr, "the last line of %s was torn by a crash and has been removed; its row is done again\n",
			o.receipts)
	}
	var due []manifestRow
	for _, row := range rows {
		if !kept.kept[row.print] {
			due = append(due, row)
		}
	}
	items := make([]item, len(due))
	for i, row := range due {
		items[i] = row.item
	}
	up := newUploads(p.Stderr, r, o, items)
	up.done = func(i int, out *openapi.Deposit, err error) error {
		if errors.Is(err, context.Canceled) {
			return nil // it is not known how it ended; the next run finds out
		}
		return kept.add(&due[i], out, err)
	}
	outcome := up.run(ctx)
	result := manifestResult{
		Rows: len(rows), Created: outcome.created, Replayed: outcome.replayed, Skipped: len(rows) - len(due),
		Failed: len(outcome.failures), Untried: outcome.untried(),
	}
	err = p.Emit(result, func(t *cli.Table) {
		t.Row("ROWS>", "CREATED>", "REPLAYED>", "SKIPPED>", "FAILED>", "UNTRIED>")
		t.Row(result.Rows, result.Created, result.Replayed, result.Skipped, result.Failed, result.Untried)
	})
	return errors.Join(outcome.report(p.Stderr), err)
}

// sameFile says whether two names are of one file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
