package backup

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor"
	"muniment/anchor/bounded"
	"muniment/anchor/journal"
	"muniment/anchor/ledger"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/checkpoints"
	"muniment/vault/keys/local"
)

// outsideHead is a head of the journal that lies where the owner of the release bucket cannot put it back.
type outsideHead struct {
	From string `json:"from"`
	Size uint64 `json:"size"`
}

// prove holds the journal against all that others have seen of it, and gathers the heads from outside.
func (r *restoreRun) prove(ctx context.Context) error {
	view, f := r.store.Backend.View, r.store.Folder
	policy, err := r.readPolicy()
	if err != nil {
		return err
	}
	for _, path := range []string{f.Checkpoint(), r.kept} {
		signed, err := bounded.ReadFile(path, bounded.Small)
		if path == "" || errors.Is(err, os.ErrNotExist) && path != r.kept {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the checkpoint: %w", err)
		}
		size, err := containsCheckpoint(ctx, view, policy, signed)
		if err != nil {
			return err
		}
		r.report.Checkpoints = append(r.report.Checkpoints, size)
		if path == r.kept {
			r.outside("a checkpoint that was kept elsewhere", size)
		}
	}
	if r.report.Anchors, err = anchor.Audit(ctx, view, policy); err != nil {
		return err
	}
	if err := r.proveByLedgers(ctx); err != nil {
		return err
	}
	return r.proveByLocked(ctx)
}

// proveByLedgers asks the ledgers for their heads. The embedded one is the operator's own word, and lies in the folder.
func (r *restoreRun) proveByLedgers(ctx context.Context) error {
	chain, err := r.store.OpenLedger()
	if err != nil {
		return err
	}
	for _, l := range []ledger.Ledger{chain} {
		head, err := anchor.CompareHead(ctx, r.store.Backend.View, l, r.report.Origin)
		if err != nil {
			return err
		}
		if l.Kind() == chain.Kind() {
			r.report.LedgerHead = head.Size
			continue
		}
		if head.Size > 0 {
			r.outside(fmt.Sprintf("the head of the ledger %s %s", l.Kind(), l.ID()), head.Size)
		}
	}
	return nil
}

// proveByLocked asks the documents' store for the newest locked checkpoint. For a drill, which nobody serves, the
// journal may be older than that.
func (r *restoreRun) proveByLocked(ctx context.Context) error {
	kept, err := node.CompareLocked(ctx, r.store.Objects, r.store.Backend.View, node.Strangers(r.Stderr))
	if errors.Is(err, node.ErrOlder) && r.drill {
		r.report.Behind = kept.Size
		return nil
	}
	if err == nil && kept.Size > 0 {
		r.outside("the locked checkpoint in the documents' store", kept.Size)
	}
	return err
}

func (r *restoreRun) outside(from string, size uint64) {
	r.report.Outside = append(r.report.Outside, outsideHead{From: from, Size: size})
}

// requireOutside refuses a journal that only the release bucket vouches for: whoever can write the bucket can put it
// back to an earlier time, and a second history would be signed from there on.
func (r *restoreRun) requireOutside() error {
	if len(r.report.Outside) > 0 || r.noOutside {
		return nil
	}
	return cli.Hint(errors.New("nothing from outside says that the release bucket was not put back to an earlier "+
		"time: "+
		"the documents' store has no locked checkpoint of this journal, and no outside ledger has its head"),
		"give a checkpoint that was kept elsewhere with --checkpoint FILE: auditors have them, and muniment journal "+
			"checkpoint prints one; when there is none, --no-outside-head goes on record and begins a new origin")
}

// beginUnproven begins a new origin over the journal that was rebuilt, as nothing from outside has vouched for it.
func (r *restoreRun) beginUnproven(ctx context.Context) error {
	cfg, err := r.survivors()
	if err != nil {
		return err
	}
	cfg.ID = r.store.ID
	if cfg.Origin == "" {
		if cfg.Origin, err = newOrigin(cfg); err != nil {
			return err
		}
	}
	if _, err := journal.BeginUnproven(ctx, cfg); err != nil {
		return err
	}
	r.report.NewOrigin = cfg.Origin
	return keepPolicy(r.store.Folder)
}

// lockedHeads are the heads that the documents' store has locked checkpoints of, as far as the journal that survives,
// or the release bucket, tells whose they are.
func (r *restoreRun) lockedHeads(ctx context.Context, released journal.ReleasedHead) ([]journal.LostHead, error) {
	kept, err := node.CompareLocked(ctx, r.store.Objects, r.store.Backend.View, node.Strangers(r.Stderr))
	if errors.Is(err, journal.ErrMissing) && released.Size > 0 {
		signer, err := r.store.Keys.Signer(local.Checkpoint)
		if err != nil {
			return nil, err
		}
		key, err := note.NewEd25519VerifierKey(released.Origin, signer.PublicKey())
		if err != nil {
			return nil, fmt.Errorf("naming the checkpoints' key: %w", err)
		}
		kept, err = checkpoints.Newest(ctx, checkpoints.Search{
			Store: r.store.Objects, Journal: released.Journal, Origin: released.Origin, Keys: []string{key},
			Passed: node.Strangers(r.Stderr),
		})
		if err != nil && !errors.Is(err, checkpoints.ErrNone) && !errors.Is(err, checkpoints.ErrLaterOrigin) {
			return nil, err
		}
	} else if err != nil && !errors.Is(err, node.ErrOlder) && !errors.Is(err, journal.ErrMissing) {
		return nil, err
	}
	if kept.Size == 0 {
		return nil, nil
	}
	head := kept.Lost()
	head.Later = true // of an origin that is known, it says nothing
	return []journal.LostHead{head}, nil
}

// goOnRecord puts on record that the journal was restored, and by which heads from outside it was proved; of one that
// has begun a new origin, the first event of that says so. Then both stores are its own, should they be new ones.
func (r *restoreRun) goOnRecord(ctx context.Context, j *journal.Journal) error {
	switch {
	case r.drill:
		return r.store.Folder.MarkDrill()
	case r.report.NewOrigin != "":
		if err := awaitReleased(ctx, j); err != nil {
			return err
		}
	default:
		data := vault.JournalRestoredData{Size: r.report.Size}
		for _, head := range r.report.Outside {
			data.Outside = append(data.Outside, vault.OutsideHead{From: head.From, Size: head.Size})
		}
		actor := journal.Actor{Tenant: journal.System, ID: access.OperatorActor}
		_, err := j.Commit(ctx, actor, func(journal.View) (journal.Change, error) {
			event := vault.JournalRestored.New(journal.ID{}, data)
			return journal.Change{Events: []journal.Event{event}}, nil
		})
		if err != nil {
			return fmt.Errorf("putting the restore on record: %w", err)
		}
	}
	return r.store.Claim(ctx, j.ID())
}
