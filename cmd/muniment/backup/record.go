package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"muniment/anchor"
	"muniment/anchor/bounded"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// connect finds the server that the backup goes on record with, so that a mistake shows before the work is done.
func (b *backupRun) connect() (err error) {
	if !b.record {
		return nil
	}
	if b.server, err = remote.Connect(b.Program); err != nil {
		return err
	}
	if b.Connection.Token.IsZero() {
		return cli.Hint(errors.New("a backup goes on record on the server, and there is no API key for that"),
			"give --url and --token-file, or --no-record")
	}
	return nil
}

// signedNow is the newest checkpoint that the server has signed; nil without a server.
func (b *backupRun) signedNow(ctx context.Context) ([]byte, error) {
	if b.server == nil {
		return nil, nil
	}
	return b.server.Checkpoint(ctx)
}

// signedBefore is the checkpoint that an earlier backup was held against; nil when there is none.
func (b *backupRun) signedBefore() ([]byte, error) {
	signed, err := bounded.ReadFile(b.at.Checkpoint(), bounded.Small)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the backup's checkpoint: %w", err)
	}
	return signed, nil
}

// putOnRecord tells the server what was verified.
func (b *backupRun) putOnRecord(ctx context.Context) error {
	if b.server == nil {
		return nil
	}
	err := b.server.RecordBackup(ctx, openapi.NewBackup{
		Size: b.report.Size, Root: b.report.Root.String(), Label: remote.Optional(b.label),
	})
	if err != nil {
		return fmt.Errorf("the backup is whole, but could not be put on record: %w", err)
	}
	b.report.Recorded = true
	return nil
}

// table writes what the backup came to.
func (b *backupRun) table(t *cli.Table) {
	r := b.report
	t.Row("WHAT", "RESULT")
	t.Row("folder", r.Folder)
	t.Row("log", r.Origin)
	t.Row("head", fmt.Sprintf("%s, root %s", cli.Count(r.Size, "leaf", "leaves"), r.Root))
	if b.to != "" {
		t.Row("copied", fmt.Sprintf("%s more than before; %s of %s, and the head", cli.Count(r.Added, "leaf", "leaves"),
			cli.Count(uint64(r.Batches), "batch", "batches"), cli.Size(r.Bytes)))
	}
	sealed := "there as their events bind them; not unwrapped (--keys)"
	if r.Unwrapped {
		sealed = "there as their events bind them, and each unwraps"
	}
	t.Row("sealed rows", fmt.Sprintf("%d, %s", r.SealedRows, sealed))
	for _, size := range slices.Compact(slices.Clone(r.Checkpoints)) {
		t.Row("checkpoint", fmt.Sprintf("the signed one at %d is in it", size))
	}
	anchorRows(t, r.Anchors)
	if r.Objects > 0 {
		t.Row("objects", fmt.Sprintf("%d read, digests as recorded", r.Objects))
	}
	if r.Keys {
		t.Row("key file", "in the backup")
	}
	for _, f := range r.Findings {
		t.Row("FINDING", fmt.Sprintf("%s %s: %s", f.Where, f.Key, f.Problem))
	}
	if r.Recorded {
		t.Row("on record", "yes")
	}
}

// anchorRows writes how the anchors of each ledger stand against a log.
func anchorRows(t *cli.Table, ledgers []anchor.Audited) {
	if len(ledgers) == 0 {
		t.Row("anchors", "none yet")
	}
	for _, l := range ledgers {
		text := fmt.Sprintf("%s %s: %s, the last at %d; %d proved",
			l.Kind, l.ID, cli.Count(uint64(l.Anchors), "anchor", "anchors"), l.Last, l.Verified)
		if l.Untold != "" {
			text += ", others cannot be told: " + l.Untold
		}
		t.Row("anchors", text)
	}
}

// sayWhatIsMissing says what the backup does not hold.
func (b *backupRun) sayWhatIsMissing() {
	if b.to == "" {
		return
	}
	if b.withKeys {
		fmt.Fprintln(b.Stderr, "this backup holds the key file: whoever has it can read every document that it "+
			"has or can get at; keep it like a key")
	}
	switch {
	case b.withObjects:
	case b.cfg.Storage.Kind == config.StorageFolder:
		fmt.Fprintln(b.Stderr, "this backup holds the journal, not the documents' content: add --with-objects, or "+
			"copy objects/ by other means")
	default:
		fmt.Fprintln(b.Stderr, "this backup holds the journal, not the documents' content: have their bucket "+
			"replicated by the store")
	}
}
