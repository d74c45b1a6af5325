package backup

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"muniment/anchor/bounded"
	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/anchor/ledger"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
	"muniment/vault/keys/local"
	"muniment/vault/objects"
)

// acceptedReport is what accepting a loss came to.
type acceptedReport struct {
	Lost     journal.LostHead `json:"lost"`
	Survived uint64           `json:"survived"` // leaves
	Origin   string           `json:"origin"`   // from now on
	Size     uint64           `json:"size"`
	Policy   string           `json:"policy"`
}

// acceptLoss goes on from what survives of a journal that contradicts its released head, under a new origin.
func (r *restoreRun) acceptLoss(ctx context.Context) (err error) {
	have, err := node.Folder(r.cfg.Data).Inventory()
	if err != nil {
		return err
	}
	if err := r.openSurvivors(ctx); err != nil {
		return err
	}
	begun := have.Journal
	defer func() {
		err = errors.Join(err, r.store.Close())
		if !begun { // the file was made to look into, and nothing was accepted
			err = errors.Join(err, os.Remove(r.store.Folder.Journal()))
		}
	}()
	cfg, err := r.survivors()
	if err != nil {
		return err
	}
	seen, err := r.seenElsewhere(ctx)
	if err != nil {
		return err
	}
	loss, err := journal.FindLoss(ctx, cfg, seen...)
	unreleased := false
	if errors.Is(err, journal.ErrNothingLost) {
		// An earlier run may have stopped after the loss was on record and before there was a head, though perhaps a
		// first batch.
		_, missing := journal.ReadReleased(ctx, cfg.Bucket, cfg.ShippingKeys)
		if unreleased = errors.Is(missing, journal.ErrMissing) || errors.Is(missing, journal.ErrDamaged); !unreleased {
			return cli.Hint(err, "serve goes on from here; nothing was changed")
		}
	} else if err != nil {
		return err
	}
	if !unreleased {
		if err := r.confirm(loss); err != nil {
			return err
		}
		begun = true
		if err := acceptUnderNewOrigin(ctx, cfg, seen); err != nil {
			return cli.Hint(err, "the same command goes on where this one stopped")
		}
	}
	report := acceptedReport{Policy: r.store.Folder.Policy()}
	if err := r.beginAgain(ctx, &report); err != nil {
		return cli.Hint(fmt.Errorf("the loss is on record, but the journal could not be released anew: %w", err),
			"the same command goes on where this one stopped")
	}
	return r.Emit(report, report.table)
}

// seenElsewhere are the heads that ledgers and the documents' store have of the journal that is here or in the release
// bucket.
func (r *restoreRun) seenElsewhere(ctx context.Context) ([]journal.LostHead, error) {
	released, err := r.survivingID(ctx)
	if err != nil {
		return nil, err
	}
	heads, err := r.lockedHeads(ctx, released)
	if err != nil {
		return nil, err
	}
	ledgers, err := r.seenByLedgers(ctx)
	return append(heads, ledgers...), err
}

// seenByLedgers are the heads that ledgers have.
func (r *restoreRun) seenByLedgers(ctx context.Context) ([]journal.LostHead, error) {
	standing, err := journal.Compare(ctx, r.store.Backend, objects.NewBucket(r.store.Release), nil)
	if err != nil && !errors.Is(err, journal.ErrContradicts) && !errors.Is(err, journal.ErrDamaged) &&
		!errors.Is(err, journal.ErrMissing) {
		return nil, err
	}
	if standing.Origin == "" {
		return nil, nil
	}
	chain, err := r.store.OpenLedger()
	if err != nil {
		return nil, err
	}
	var heads []journal.LostHead
	for _, l := range []ledger.Ledger{chain} {
		head, err := l.Head(ctx, standing.Origin)
		if errors.Is(err, ledger.ErrUnknown) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the head of the ledger %s %s: %w", l.Kind(), l.ID(), err)
		}
		heads = append(heads, journal.LostHead{Origin: head.Origin, Size: head.Size, Root: journal.Hash(head.Root)})
	}
	return heads, nil
}

// acceptUnderNewOrigin accepts the loss, under a random origin unless one was chosen.
func acceptUnderNewOrigin(ctx context.Context, cfg journal.Config, seen []journal.LostHead) (err error) {
	if cfg.Origin == "" {
		if cfg.Origin, err = newOrigin(cfg); err != nil {
			return err
		}
	}
	_, err = journal.AcceptLoss(ctx, cfg, seen...)
	return err
}

// openSurvivors opens what there is, whatever is missing.
func (r *restoreRun) openSurvivors(ctx context.Context) (err error) {
	r.store = &node.Storage{Folder: node.Folder(r.cfg.Data), Found: node.Whole}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.store.Close())
		}
	}()
	log := slog.New(slog.DiscardHandler)
	if r.store.Keys, err = node.OpenKeys(ctx, r.cfg, log, false); err != nil {
		return fmt.Errorf("opening the data folder: %w", err)
	}
	if err = r.store.OpenStores(ctx, r.cfg, log, true); err != nil {
		return err
	}
	backend, err := bolt.Open(bolt.Config{Path: r.store.Folder.Journal(), Create: true, Log: log})
	if err != nil {
		return cli.Hint(err, "move the file away and try again: what the release bucket has then survives")
	}
	r.store.Backend = backend
	return nil
}

// survivingID is the id of the journal that survives, in the database or the bucket; zero where neither tells it.
// Stores of another journal are refused.
func (r *restoreRun) survivingID(ctx context.Context) (released journal.ReleasedHead, err error) {
	released, err = journal.ReadReleased(ctx, objects.NewBucket(r.store.Release), nil)
	if err != nil && !errors.Is(err, journal.ErrMissing) && !errors.Is(err, journal.ErrDamaged) {
		return released, err
	}
	id := released.Journal
	err = r.store.Backend.View(ctx, func(reader journal.Reader) error {
		here, err := journal.ReadID(reader)
		if errors.Is(err, journal.ErrMissing) {
			return nil
		}
		id = here
		return err
	})
	if err != nil || id.IsZero() {
		return released, err
	}
	return released, r.store.RefuseOthers(ctx, id)
}

// survivors is the journal as it can be opened.
func (r *restoreRun) survivors() (journal.Config, error) {
	signer, err := r.store.Keys.Signer(local.Checkpoint)
	if err != nil {
		return journal.Config{}, err
	}
	remembered, err := bounded.ReadFile(r.store.Folder.Checkpoint(), bounded.Small)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return journal.Config{}, fmt.Errorf("reading the newest checkpoint: %w", err)
	}
	return journal.Config{
		Backend: r.store.Backend, Bucket: objects.NewBucket(r.store.Release), Signer: signer,
		Clock: journal.SystemClock{}, Rand: rand.Reader,
		Log: slog.New(slog.DiscardHandler), Definitions: node.Definitions(), Remembered: remembered, Origin: r.origin,
		ShippingKeys: node.ShippingKeys{Keys: r.store.Keys},
	}, nil
}

// confirm has a person type the size of what is given up.
func (r *restoreRun) confirm(loss journal.Loss) error {
	root := "of a root that is not known"
	if loss.Head.Root != (journal.Hash{}) {
		root = "root " + loss.Head.Root.String()
	}
	fmt.Fprintf(r.Stderr, `%v

The released head is that of %s at %d, %s; the journal here ends at %d.
Everything that was released and is in neither is lost: deposits that were acknowledged, holds,
approvals, reads. Look for another copy of the bucket, or of journal.db, first. If you accept the
loss, the leaves that survive go on under a new origin, the first new leaf names the lost head, and
the objects of the bucket are set aside under lost/.
`, loss.Why, loss.Head.Origin, loss.Head.Size, root, loss.Size)
	if loss.Whole {
		fmt.Fprintf(r.Stderr, `
But the release bucket is whole: nothing that was released need be lost. To keep it, do not accept;
move journal.db away and run muniment restore. Entries that only that journal.db has were never
released.
`)
	}
	if r.yes {
		return nil
	}
	fmt.Fprintf(r.Stderr, "Type the size of the lost head to accept: ")
	line, err := bufio.NewReader(r.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if strings.TrimSpace(line) != strconv.FormatUint(loss.Head.Size, 10) {
		return cli.Hint(errors.New("the loss was not accepted, and nothing was changed"), "a script accepts with --yes")
	}
	return nil
}

// beginAgain opens the journal, waits until all of it is released under the new origin, and writes the new policy.
func (r *restoreRun) beginAgain(ctx context.Context, report *acceptedReport) (err error) {
	j, err := r.store.OpenJournal(ctx, "", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	r.store.Backend = nil // the journal closes it
	defer func() { err = errors.Join(err, j.Close()) }()
	eras := j.Eras()
	last := eras[len(eras)-1]
	if last.Lost == nil {
		return errors.New("no loss is on record")
	}
	report.Lost, report.Survived, report.Origin, report.Size = *last.Lost, last.From, last.Origin, j.Size()
	if err := keepPolicy(r.store.Folder); err != nil {
		return err
	}
	chain, err := r.store.OpenLedger()
	if err != nil {
		return err
	}
	if _, err := r.store.WritePolicy(j, chain); err != nil {
		return err
	}
	if err := awaitReleased(ctx, j); err != nil {
		return err
	}
	if err := r.store.Claim(ctx, j.ID()); err != nil { // a bucket may be a new one
		return err
	}
	return r.store.Remember(j.Checkpoint()) // what is remembered of the old origin may be what was lost
}

// awaitReleased waits until all that is on record is shipped and signed.
func awaitReleased(ctx context.Context, j *journal.Journal) error {
	receipt, err := j.Receipt(ctx, j.Size()-1)
	if err == nil {
		// A checkpoint that is remembered from an earlier run says nothing about the bucket of today.
		err = j.Shipped(ctx, receipt)
	}
	if err == nil {
		_, err = j.Released(ctx, receipt)
	}
	return err
}

// keepPolicy puts the policy aside that does not know of the new origin yet.
func keepPolicy(f node.Folder) error {
	if err := os.Rename(f.Policy(), f.Policy()+".before-loss"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keeping the policy: %w", err)
	}
	return nil
}

// newOrigin draws the name of an origin.
func newOrigin(cfg journal.Config) (string, error) {
	id, err := journal.NewID(cfg.Clock.Now(), cfg.Rand)
	if err != nil {
		return "", err
	}
	return "muniment/" + id.String(), nil
}

// table writes what was accepted.
func (a *acceptedReport) table(t *cli.Table) {
	t.Row("WHAT", "RESULT")
	t.Row("lost", fmt.Sprintf("%s at %d", a.Lost.Origin, a.Lost.Size))
	t.Row("survived", cli.Count(a.Survived, "leaf", "leaves"))
	t.Row("on record", fmt.Sprintf("journal.loss_accepted, leaf %d", a.Survived))
	t.Row("log", a.Origin+", from now on")
	t.Row("released", fmt.Sprintf("%s, anew", cli.Count(a.Size, "leaf", "leaves")))
	t.Row("policy", a.Policy+" names both logs: give it to the auditors")
}
