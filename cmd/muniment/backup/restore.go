package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"muniment/anchor"
	"muniment/anchor/bounded"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault"
	"muniment/vault/keys"
	"muniment/vault/objects"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	cli.ConfigFlags
	from, policy, kept string
	accept, yes        bool
	noOutside, drill   bool
	ifMissing          bool
	origin             string
}

// RestoreCommand is restore.
func RestoreCommand(p *cli.Program) *cobra.Command {
	var o restoreOptions
	c := &cobra.Command{
		Use:   "restore",
		Short: "Bring a lost journal back from the release bucket or a backup, and prove it",
		Long: `Makes a data folder's journal anew from what was released, on a machine that has the release
bucket, the keys and the documents' objects, but no journal.db. It replays every event, and
proves the result against the released head, the anchors on record, the embedded ledger's
blocks, the checkpoint in the folder and one given with --checkpoint; signs a checkpoint;
and unwraps every sealed row to compute the lookup tokens again, which are in no backup.
Then serve goes on from there.

The release bucket cannot vouch for itself: it may have been put back to an earlier time. So
a restore needs a head from outside, and says which it was: the newest checkpoint that is
locked in the documents' store, the head of a ledger that is not the embedded one, or
--checkpoint FILE. A journal that lacks what any of them has seen is refused. Where there is
none, --no-outside-head goes on record and begins a new origin.

--from FOLDER first puts the parts of a backup back: the release bucket, which must be
empty, and what the data folder lacks of ledger, policy, objects and keys. A journal that is
there is never touched: serve brings one that is behind the bucket up to date by itself.
While the key service cannot be asked the bucket is checked, not authenticated, nothing is
restored, and it exits 2.
--if-missing then does nothing, and exits 0: so it can stand before serve in a unit.

--drill makes a copy for looking at only, which may be older than what is locked; serve
refuses it.

--accept-loss is the way out when released entries are lost for good: the journal
contradicts the released head, or batches are missing and no other copy has them. It shows
what is lost and asks. Then the leaves that survive go on under a new origin, whose first
leaf names the lost head; evidence about them stays valid under the old one. It goes on
where it was broken off.`,
		Example: `  muniment restore --config /etc/muniment/muniment.yaml
  muniment restore --data /srv/muniment --from /backup/muniment --checkpoint kept-by-the-auditor
  muniment restore --data /srv/muniment --accept-loss`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			cfg, err := p.LoadConfig(c, o.ConfigFlags)
			if err != nil {
				return err
			}
			return runRestore(c.Context(), p, cfg, o)
		},
	}
	f := c.Flags()
	o.AddTo(f)
	f.StringVar(&o.from, "from", "", "the folder of a backup to put back first")
	f.StringVar(&o.policy, "policy", "",
		"the policy to judge signatures and anchors by (default: the one in the data folder)")
	f.StringVar(&o.kept, "checkpoint", "",
		"a file with a signed checkpoint, kept elsewhere, that the journal must contain")
	f.BoolVar(&o.accept, "accept-loss", false, "give up what is lost, on record, and go on under a new origin")
	f.BoolVar(&o.yes, "yes", false, "accept the loss without being asked")
	f.StringVar(&o.origin, "origin", "", "the new origin (default muniment/ and a random UUID)")
	f.BoolVar(&o.noOutside, "no-outside-head", false,
		"restore though nothing from outside vouches for the bucket; goes on record and begins a new origin")
	f.BoolVar(&o.drill, "drill", false, "for looking at only: may be older than what is locked, and is not served")
	f.BoolVar(&o.ifMissing, "if-missing", false, "do nothing, and exit 0, where there is a journal")
	return c
}

// check refuses flags that do not go together.
func (o *restoreOptions) check() error {
	switch {
	case o.accept && (o.from != "" || o.policy != "" || o.kept != "" || o.noOutside || o.drill || o.ifMissing):
		return errors.New("--accept-loss goes with --yes and --origin, and with no other flag of a restore")
	case o.yes && !o.accept:
		return errors.New("--yes goes with --accept-loss")
	case o.origin != "" && !o.accept && !o.noOutside:
		return errors.New("--origin and --yes go with --accept-loss, --origin with --no-outside-head too")
	case o.drill && o.noOutside:
		return errors.New("--drill begins no new origin: leave --no-outside-head out")
	}
	return nil
}

// restoreReport is what a restore came to.
type restoreReport struct {
	Data       string       `json:"data"`
	Origin     string       `json:"origin"`
	Size       uint64       `json:"size"` // in leaves
	Root       journal.Hash `json:"root"`
	Documents  uint64       `json:"documents"` // that the log knows of
	SealedRows uint64       `json:"sealed_rows"`
	// Sealed rows that were unwrapped, and have their lookup tokens again.
	Reindexed   int              `json:"reindexed"`
	Checkpoints []uint64         `json:"checkpoints"`
	Anchors     []anchor.Audited `json:"anchors"`
	LedgerHead  uint64           `json:"ledger_head"` // the size at which the embedded ledger was found
	// Outside are the heads from outside that the journal was proved against.
	Outside []outsideHead `json:"outside"`
	// Behind is the size of a locked checkpoint that a drill's journal does not reach; 0 for none.
	Behind uint64 `json:"behind,omitempty"`
	// NewOrigin is the origin that was begun as there was no head from outside; else empty.
	NewOrigin string  `json:"new_origin,omitempty"`
	Signed    uint64  `json:"signed"` // the size of the checkpoint that was signed
	Replayed  float64 `json:"replay_seconds"`
	Seconds   float64 `json:"seconds"`
}

// restoreRun is one restore.
type restoreRun struct {
	*cli.Program
	restoreOptions
	cfg    config.Config
	store  *node.Storage
	report restoreReport
}

func runRestore(ctx context.Context, p *cli.Program, cfg config.Config, o restoreOptions) error {
	began := time.Now()
	r := &restoreRun{Program: p, restoreOptions: o, cfg: cfg}
	r.report = restoreReport{Data: cfg.Data, Checkpoints: []uint64{}, Anchors: []anchor.Audited{},
		Outside: []outsideHead{}}
	if o.accept {
		return r.acceptLoss(ctx)
	}
	there, err := r.existing()
	if there && o.ifMissing {
		fmt.Fprintf(r.Stderr, "there is a journal, %s: nothing to restore\n", node.Folder(cfg.Data).Journal())
		return nil
	}
	if err != nil {
		return err
	}
	if o.from != "" {
		if err := r.putBack(ctx); err != nil {
			return err
		}
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	r.report.Seconds = time.Since(began).Seconds()
	return r.Emit(r.report, r.table)
}

// existing says whether there is a journal already, which is never touched.
func (r *restoreRun) existing() (there bool, err error) {
	f := node.Folder(r.cfg.Data)
	have, err := f.Inventory()
	if err == nil && have.Journal {
		err = cli.Hint(fmt.Errorf("there is a journal already, %s", f.Journal()),
			"serve brings it up to date if it is behind the release bucket; to make it anew, move it away first")
	}
	return have.Journal, err
}

// run restores from the release bucket. A journal that does not prove itself is removed again.
func (r *restoreRun) run(ctx context.Context) (err error) {
	log := slog.New(slog.DiscardHandler)
	r.store, err = node.OpenStorageIf(ctx, r.cfg, log, func(found node.State) error {
		if found == node.Unrestored {
			return nil
		}
		return cli.Hint(errors.New("there is nothing to restore from: the release bucket has no journal"),
			"name the configuration of the lost server with --config, or a backup with --from")
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	err = r.rebuild(ctx)
	if err == nil && len(r.report.Outside) == 0 && !r.drill {
		err = r.beginUnproven(ctx)
	}
	if err != nil {
		closing := r.store.Backend.Close()
		r.store.Backend = nil
		return errors.Join(err, closing, os.Remove(r.store.Folder.Journal()))
	}
	return r.openRestored(ctx, log)
}

// rebuild replays the release bucket into the journal's file, and proves the result.
func (r *restoreRun) rebuild(ctx context.Context) error {
	bucket := objects.NewBucket(r.store.Release)
	var shipping journal.ShippingKeys = node.ShippingKeys{Keys: r.store.Keys}
	head, err := journal.ReadReleased(ctx, bucket, shipping)
	if errors.Is(err, journal.ErrKeysUnavailable) {
		fmt.Fprintln(r.Stderr, "heads and batches are checked and not authenticated:", err)
		shipping = nil
		head, err = journal.ReadReleased(ctx, bucket, nil)
	}
	if err != nil {
		return damagedBucket(err)
	}
	r.report.Origin, r.report.Size, r.report.Root = head.Origin, head.Size, head.Root
	began, bar := time.Now(), cli.StartProgress(r.Stderr, "replaying", 0)
	found, err := journal.CheckReleased(ctx, journal.CheckConfig{
		Bucket: bucket, Head: head, Definitions: node.Definitions(), Scratch: r.store.Backend, Progress: bar.At,
		ShippingKeys: shipping,
	})
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("sealed rows are not as their events bind them, %s to begin with: %w",
			found[0], journal.ErrDamaged)
	}
	if err != nil {
		return damagedBucket(err)
	}
	r.report.Replayed = time.Since(began).Seconds()
	bar.End(fmt.Sprintf("%s in %.1f s, %.0f/s",
		cli.Count(head.Size, "leaf", "leaves"), r.report.Replayed, float64(head.Size)/r.report.Replayed))
	err = r.prove(ctx)
	if shipping == nil && (err == nil || errors.Is(err, keys.ErrUnavailable)) {
		return cli.Hint(cli.ErrUnauthenticated, "nothing was restored, since anybody may have written what is in the "+
			"release bucket; restore when the key service answers")
	}
	if err != nil {
		if _, has := cli.HintOf(err); has {
			return err
		}
		return cli.Hint(err, "the release bucket does not hold all that was signed: it has been put back to an "+
			"earlier time, or replaced; "+
			"look for a newer copy of it")
	}
	if r.drill {
		return r.count(ctx)
	}
	if err := r.requireOutside(); err != nil {
		return err
	}
	return r.count(ctx)
}

// damagedBucket says what to do about a release bucket that is not whole.
func damagedBucket(err error) error {
	return cli.Hint(err, "put back what is missing from another copy of the release bucket, or restore --from a "+
		"backup into an empty one")
}

// readPolicy reads the policy that was given, or the one in the folder. A machine that has neither trusts the keys that
// it is configured with.
func (r *restoreRun) readPolicy() (*evidence.Policy, error) {
	path := r.policy
	if path == "" {
		path = r.store.Folder.Policy()
	}
	data, err := bounded.ReadFile(path, bounded.Small)
	if errors.Is(err, os.ErrNotExist) && r.policy == "" {
		return r.store.ConfiguredPolicy(r.report.Origin)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	return evidence.ParsePolicy(data)
}

// count counts what has come back.
func (r *restoreRun) count(ctx context.Context) error {
	err := r.store.Backend.View(ctx, func(reader journal.Reader) (err error) {
		if r.report.Documents, err = countRows(reader, documentsTable()); err != nil {
			return err
		}
		return journal.ScanSealed(reader, nil, func(_, _ []byte) error {
			r.report.SealedRows++
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("counting what was restored: %w", err)
	}
	return nil
}

// openRestored opens the journal as serve would: it signs a checkpoint, and computes the lookup tokens.
func (r *restoreRun) openRestored(ctx context.Context, log *slog.Logger) (err error) {
	j, err := r.store.OpenJournal(ctx, "", log, nil)
	if err != nil {
		return err
	}
	r.store.Backend = nil // the journal closes it
	defer func() { err = errors.Join(err, j.Close()) }()
	if err := r.goOnRecord(ctx, j); err != nil {
		return err
	}
	bar := cli.StartProgress(r.Stderr, "unwrapping", int(r.report.SealedRows))
	x := vault.NewIndexer(j.View, r.store.Keys)
	r.report.Reindexed, err = j.Reindex(ctx,
		func(ctx context.Context, rows []journal.SealedRowAt) ([]journal.TokensOf, error) {
			tokens, err := x.Tokens(ctx, rows)
			for range tokens {
				bar.Step()
			}
			return tokens, err
		})
	if err != nil {
		return cli.Hint(fmt.Errorf("the journal is back, but not every sealed row can be unwrapped: %w", err),
			"when the key service is the right one and answers, serve goes on with the rest by itself")
	}
	bar.End(cli.Count(uint64(r.report.Reindexed), "sealed row", "sealed rows"))
	r.report.Signed = j.Checkpoint().Size
	chain, err := r.store.OpenLedger()
	if err != nil {
		return err
	}
	if _, err = r.store.WritePolicy(j, chain); err != nil || r.report.Signed == 0 {
		return err
	}
	return r.store.Remember(j.Checkpoint())
}

// table writes what the restore came to.
func (r *restoreRun) table(t *cli.Table) {
	v := r.report
	t.Row("WHAT", "RESULT")
	t.Row("data folder", v.Data)
	t.Row("log", v.Origin)
	t.Row("head", fmt.Sprintf("%s, root %s, as released", cli.Count(v.Size, "leaf", "leaves"), v.Root))
	t.Row("documents", v.Documents)
	t.Row("sealed rows", fmt.Sprintf("%d, there as their events bind them; %d unwrapped, with their lookup tokens",
		v.SealedRows, v.Reindexed))
	for _, size := range slices.Compact(slices.Clone(v.Checkpoints)) {
		t.Row("checkpoint", fmt.Sprintf("the signed one at %d is in it", size))
	}
	for _, head := range v.Outside {
		t.Row("outside head", fmt.Sprintf("%s, at %d, is in it", head.From, head.Size))
	}
	if v.Behind > 0 {
		t.Row("DRILL", fmt.Sprintf("a checkpoint at %d is locked, which is beyond its end: serve refuses it", v.Behind))
	}
	if v.NewOrigin != "" {
		t.Row("NEW ORIGIN", v.NewOrigin+": no head from outside; give policy.json to the auditors")
	}
	anchorRows(t, v.Anchors)
	if v.LedgerHead > 0 {
		t.Row("ledger", fmt.Sprintf("its head, at %d, is in it", v.LedgerHead))
	}
	if v.Signed > 0 {
		t.Row("signed", fmt.Sprintf("a checkpoint at %d, by the key of the log's first event", v.Signed))
	} else {
		t.Row("signed", "nothing: the key service does not sign now")
	}
	t.Row("time", fmt.Sprintf("%.1f s, %.1f s of it for the replay: %.0f leaves/s",
		v.Seconds, v.Replayed, float64(v.Size)/v.Replayed))
}

// documentsTable is the vault's table of documents.
func documentsTable() journal.Table {
	return journal.Table{Kind: journal.Projection, Name: "documents"}
}

// countRows counts the rows of a table.
func countRows(r journal.Reader, t journal.Table) (n uint64, err error) {
	err = r.Scan(t, journal.Range{}, func(_, _ []byte) error {
		n++
		return nil
	})
	return n, err
}
