// Package backup copies a journal to a folder, proves that the copy is whole, and brings a lost journal back.
package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/fsck"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault/objects"
)

// backupOptions are the flags of backup.
type backupOptions struct {
	cli.ConfigFlags
	to, verify            string
	withObjects, withKeys bool
	unwrap, content       bool
	policy, kept, label   string
	record                bool
}

// Command is backup.
func Command(p *cli.Program) *cobra.Command {
	var o backupOptions
	var noRecord bool
	c := &cobra.Command{
		Use:   "backup",
		Short: "Copy the journal to a folder while the server runs, and prove that the copy is whole",
		Long: `Copies the journal's history out of the release bucket, with the blocks of the embedded
ledger and the policy. The server may run and write meanwhile. Copied history never
changes, so the next backup to the same folder fetches only what is new, and one that was
broken off goes on where it stopped. The folder's head comes last, when the copy has been
checked.

The check replays the copy into a scratch file. It holds every leaf, the tree and the head
against each other; every sealed row against the event that binds it; and every anchor on
record against the tree, its signature and the ledger's proof, by the policy. With --keys it
unwraps every sealed row too. A backup that is whole goes on record on the server, for which
key trim waits; --no-record leaves that out, and needs no server.

The documents' ciphertext is copied with --with-objects, where it lies in the data folder:
an S3 bucket has replication of its own. The key file is copied with --with-keys only:
whoever has both can read everything.

--verify FOLDER checks an earlier backup again, and copies nothing. It exits 0 when the
backup is whole, 1 when it is not, and 2 when it is whole as far as can be told while the
key service cannot be asked whether heads and batches are authentic.`,
		Example: `  muniment backup --data /srv/muniment --to /backup/muniment --with-objects
  muniment backup --config /etc/muniment/muniment.yaml --to /backup/muniment --keys
  muniment backup --verify /backup/muniment --no-record`,
		Args: func(c *cobra.Command, args []string) error {
			if (o.to == "") == (o.verify == "") {
				return errors.New("say which folder: --to FOLDER makes a backup there, --verify FOLDER checks the " +
					"one there")
			}
			return cobra.NoArgs(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := p.LoadConfig(c, o.ConfigFlags)
			if err != nil {
				return err
			}
			o.record = !noRecord
			return runBackup(c.Context(), p, cfg, o)
		},
	}
	f := c.Flags()
	o.AddTo(f)
	f.StringVar(&o.to, "to", "", "the folder of the backup; it is made, or brought up to date")
	f.StringVar(&o.verify, "verify", "", "check the backup in this folder, and copy nothing")
	f.BoolVar(&o.withObjects, "with-objects", false, "copy the documents' ciphertext too, from the data folder")
	f.BoolVar(&o.withKeys, "with-keys", false, "copy the key file too; guard such a backup as you guard the keys")
	f.BoolVar(&o.unwrap, "keys", false, "unwrap every sealed row, with the key service that is configured")
	f.BoolVar(&o.content, "content", true, "read the objects that are in the backup, and compare their digests")
	f.StringVar(&o.policy, "policy", "",
		"the policy to judge signatures and anchors by (default: the one in the backup)")
	f.StringVar(&o.kept, "checkpoint", "",
		"a file with a signed checkpoint, kept elsewhere, that the backup must contain")
	f.StringVar(&o.label, "label", "", "a word that goes on record with the backup, such as offsite: [a-z0-9-]")
	f.BoolVar(&noRecord, "no-record", false, "do not put the backup on record on the server")
	return c
}

// backupReport is what a backup came to.
type backupReport struct {
	Folder      string           `json:"folder"`
	Origin      string           `json:"origin"`
	Size        uint64           `json:"size"` // in leaves
	Root        journal.Hash     `json:"root"`
	Added       uint64           `json:"added"`   // leaves since the backup before
	Batches     int              `json:"batches"` // fetched
	Bytes       int64            `json:"bytes"`   // of these
	SealedRows  uint64           `json:"sealed_rows"`
	Unwrapped   bool             `json:"unwrapped"` // every sealed row was
	Checkpoints []uint64         `json:"checkpoints"`
	Anchors     []anchor.Audited `json:"anchors"`
	Objects     int              `json:"objects"` // of living documents, read and compared
	Keys        bool             `json:"keys"`    // the key file is in the backup
	Findings    []fsck.Finding   `json:"findings"`
	// Authenticated says that the journal's shipping key has authenticated heads and batches.
	Authenticated bool `json:"authenticated"`

	Recorded bool    `json:"recorded"`
	Seconds  float64 `json:"seconds"`
}

// backupRun is one backup that is made or verified.
type backupRun struct {
	*cli.Program
	backupOptions
	cfg    config.Config
	at     node.Folder // of the backup: it has the parts of a data folder, but for journal.db
	server *remote.Client
	report backupReport
	keys   closingKeys
	noKeys error // why there are no keys
	// shipping authenticates heads and batches; nil where the key service cannot be asked.
	shipping journal.ShippingKeys
}

func runBackup(ctx context.Context, p *cli.Program, cfg config.Config, o backupOptions) error {
	began := time.Now()
	b := &backupRun{Program: p, backupOptions: o, cfg: cfg, at: node.Folder(o.to + o.verify)}
	b.report = backupReport{Folder: string(b.at), Checkpoints: []uint64{}, Anchors: []anchor.Audited{},
		Findings: []fsck.Finding{}}
	if err := b.connect(); err != nil {
		return err
	}
	if b.keys, b.noKeys = b.openKeysBeside(ctx); b.noKeys == nil {
		defer b.keys.Close() //nolint:errcheck // it was only asked
		b.shipping = node.ShippingKeys{Keys: b.keys}
	} else {
		b.sayUnauthenticated(b.noKeys)
	}
	work := b.make
	if o.verify != "" {
		work = b.checkAgain
	}
	err := work(ctx)
	if len(b.report.Findings) > 0 {
		return errors.Join(b.Emit(b.report, b.table), cli.Hint(fmt.Errorf("the backup in %s is not whole", b.at),
			"keep it as it is; make another in a new folder, and look at the source with fsck"))
	}
	if err != nil {
		return err
	}
	if b.report.Authenticated = b.shipping != nil; !b.report.Authenticated {
		return errors.Join(b.Emit(b.report, b.table), cli.Hint(cli.ErrUnauthenticated,
			"verify the backup again when the key service answers; until then it is not put on record"))
	}
	if err := b.putOnRecord(ctx); err != nil {
		return err
	}
	b.report.Seconds = time.Since(began).Seconds()
	if err := b.Emit(b.report, b.table); err != nil {
		return err
	}
	b.sayWhatIsMissing()
	return nil
}

// make copies and checks. The copy has its head only when it was found to be whole, and what must not be newer than the
// head, blocks and checkpoint, comes after it, as it was before the head was read.
func (b *backupRun) make(ctx context.Context) (err error) {
	if err := b.checkParts(); err != nil {
		return err
	}
	signed, err := b.signedNow(ctx)
	if err != nil {
		return err
	}
	chain, err := blocksNow(node.Folder(b.cfg.Data))
	if err != nil {
		return err
	}
	source := &node.Storage{Folder: node.Folder(b.cfg.Data)}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := source.OpenStores(ctx, b.cfg, slog.New(slog.DiscardHandler), false); err != nil {
		return fmt.Errorf("opening what is to be backed up: %w", err)
	}
	locked, err := b.lockedNow(ctx, source)
	if err != nil {
		return err
	}
	release, err := b.openTarget(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release.Close()) }()
	copied, err := b.copyReleased(ctx, objects.NewBucket(source.Release), objects.NewBucket(release))
	if err != nil {
		return err
	}
	// The objects come after the log: whatever it knows of is then there.
	if err := b.copyParts(ctx, source); err != nil {
		return err
	}
	err = b.check(ctx, objects.NewBucket(release), copied.Head, copied.Before, signed, locked)
	if err != nil || len(b.report.Findings) > 0 {
		return err
	}
	if err := copied.Finish(ctx); err != nil {
		return err
	}
	return b.copyWitnesses(chain, signed)
}

// checkAgain checks a backup that was made earlier.
func (b *backupRun) checkAgain(ctx context.Context) (err error) {
	release, err := node.OpenDir(ctx, b.at.Release(), false, false)
	if err != nil {
		return cli.Hint(fmt.Errorf("opening the backup: %w", err), "name the folder that was given to backup --to")
	}
	defer func() { err = errors.Join(err, release.Close()) }()
	bucket := objects.NewBucket(release)
	b.askKeys(ctx, bucket)
	head, err := journal.ReadReleased(ctx, bucket, b.shipping)
	if err != nil {
		return damagedBackup(err)
	}
	signed, err := b.signedBefore()
	if err != nil {
		return err
	}
	return b.check(ctx, bucket, head, journal.ReleasedHead{}, signed)
}
