package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"muniment/anchor"
	"muniment/anchor/bounded"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/fsck"
	"muniment/cmd/muniment/node"
	"muniment/vault"
	"muniment/vault/keys"
	"muniment/vault/keys/local"
)

// check replays a copy and holds it against everything that is known of it. Faults of single rows or objects become
// findings of the report.
func (b *backupRun) check(ctx context.Context, bucket journal.Bucket, head, before journal.ReleasedHead,
	signed ...[]byte) (err error) {
	b.report.Origin, b.report.Size, b.report.Root = head.Origin, head.Size, head.Root
	if _, err := os.Lstat(b.at.Keys()); err == nil {
		b.report.Keys = true
	}
	policy, err := b.readPolicy()
	if err != nil {
		return err
	}
	checkpoints, err := b.checkpoints(signed...)
	if err != nil {
		return err
	}
	scratch, remove, err := fsck.Scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := b.replay(ctx, bucket, head, before, scratch); err != nil {
		return err
	}
	for _, c := range checkpoints {
		if err := b.checkCheckpoint(ctx, scratch.View, policy, c); err != nil {
			return err
		}
	}
	if b.report.Anchors, err = anchor.Audit(ctx, scratch.View, policy); err != nil {
		return cli.Hint(err, "the copy is not of the history that was anchored: keep it, and compare both with "+
			"the ledger")
	}
	return b.checkObjects(ctx, scratch)
}

// replay replays the copy into the scratch file, and looks at every sealed row.
func (b *backupRun) replay(ctx context.Context, bucket journal.Bucket, head, before journal.ReleasedHead,
	scratch *bolt.Store) (err error) {
	bar := cli.StartProgress(b.Stderr, "replaying", 0)
	cfg := journal.CheckConfig{
		ShippingKeys: b.shipping,
		Bucket:       bucket, Head: head, Definitions: node.Definitions(), Scratch: scratch, Progress: bar.At,
		Before: []journal.ReleasedHead{before}, Allowed: node.EventRules().Allowed(),
	}
	if b.unwrap {
		if b.noKeys != nil {
			return b.noKeys
		}
		cfg.Tokens = vault.NewIndexer(scratch.View, b.keys).Tokens
	}
	found, err := journal.CheckReleased(ctx, cfg)
	if err != nil {
		return damagedBackup(err)
	}
	b.report.Unwrapped = b.unwrap
	b.report.Findings = append(b.report.Findings, fsck.Findings(found)...)
	err = scratch.View(ctx, func(r journal.Reader) error {
		return journal.ScanSealed(r, nil, func(_, _ []byte) error {
			b.report.SealedRows++
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("counting the sealed rows: %w", err)
	}
	bar.End(fmt.Sprintf("%s, %s", cli.Count(head.Size, "leaf", "leaves"),
		cli.Count(b.report.SealedRows, "sealed row", "sealed rows")))
	return nil
}

// damagedBackup says what to do about a history that is not whole.
func damagedBackup(err error) error {
	switch {
	case errors.Is(err, journal.ErrMissing), errors.Is(err, journal.ErrDamaged):
		return cli.Hint(err, "what is lost here may be whole in another copy: the release bucket, or an earlier backup")
	case errors.Is(err, journal.ErrContradicts):
		return cli.Hint(err, "two histories have been mixed: keep both copies as they are, and make a backup in a "+
			"new folder")
	}
	return err
}

// closingKeys is a key service that is let go of at the end.
type closingKeys interface {
	keys.Service
	Close() error
}

// askKeys finds out whether the key service unwraps the shipping key of a bucket now. If it cannot be asked, heads and
// batches are checked, and not authenticated.
func (b *backupRun) askKeys(ctx context.Context, bucket journal.Bucket) {
	if b.shipping == nil {
		return
	}
	if _, err := journal.ReadReleased(ctx, bucket, b.shipping); errors.Is(err, journal.ErrKeysUnavailable) {
		b.sayUnauthenticated(err)
		b.shipping = nil
	}
}

func (b *backupRun) sayUnauthenticated(why error) {
	fmt.Fprintln(b.Stderr, "heads and batches are checked and not authenticated:", why)
}

// openKeysBeside opens the key service for reading, beside a server that may have it open. The key file may be in the
// backup alone.
func (b *backupRun) openKeysBeside(ctx context.Context) (closingKeys, error) {
	if b.cfg.Keys.Kind != config.KeysFile {
		return node.OpenKeys(ctx, b.cfg, slog.New(slog.DiscardHandler), false)
	}
	s, err := local.Read(node.Folder(b.cfg.Data).Keys())
	if errors.Is(err, local.ErrMissing) {
		s, err = local.Read(b.at.Keys())
	}
	if errors.Is(err, local.ErrMissing) {
		return nil, cli.Hint(err, "name the folder that has keys.json with --data")
	}
	return s, err
}

// readPolicy reads the policy that signatures and anchors are judged by; nil when there is none.
func (b *backupRun) readPolicy() (*evidence.Policy, error) {
	path := b.policy
	if path == "" {
		path = b.at.Policy()
	}
	data, err := bounded.ReadFile(path, bounded.Small)
	if errors.Is(err, fs.ErrNotExist) && b.policy == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	return evidence.ParsePolicy(data)
}

// checkpoints are the signed checkpoints that the copy must contain.
func (b *backupRun) checkpoints(signed ...[]byte) (all [][]byte, err error) {
	for _, one := range signed {
		if len(one) > 0 {
			all = append(all, one)
		}
	}
	if b.kept == "" {
		return all, nil
	}
	data, err := bounded.ReadFile(b.kept, bounded.Small)
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	return append(all, data), nil
}

// checkCheckpoint checks that a log contains a signed checkpoint.
func (b *backupRun) checkCheckpoint(ctx context.Context, view anchor.View, policy *evidence.Policy,
	signed []byte) error {
	size, err := containsCheckpoint(ctx, view, policy, signed)
	if err == nil {
		b.report.Checkpoints = append(b.report.Checkpoints, size)
	}
	return err
}

// containsCheckpoint holds a signed checkpoint against a log, and returns its size.
func containsCheckpoint(ctx context.Context, view anchor.View, policy *evidence.Policy, signed []byte) (uint64, error) {
	c, state, why := evidence.VerifyCheckpoint(policy, string(signed))
	switch state {
	case evidence.Holds:
	case evidence.DoesNotHold:
		return 0, fmt.Errorf("the signed checkpoint does not hold: %s", why)
	default:
		return 0, cli.Hint(fmt.Errorf("the signed checkpoint cannot be judged: %s", why),
			"name your policy with --policy")
	}
	err := view(ctx, func(r journal.Reader) error {
		root, err := journal.TreeRoot(r, c.Size)
		if errors.Is(err, journal.ErrNotFound) {
			return fmt.Errorf("the signed checkpoint is at %d, beyond the end: what followed is missing", c.Size)
		}
		if err == nil && root != journal.Hash(c.Root) {
			err = fmt.Errorf("at size %d the root is another than that of the signed checkpoint: %w",
				c.Size, journal.ErrContradicts)
		}
		return err
	})
	return c.Size, err
}

// checkObjects reads the objects that are in the backup.
func (b *backupRun) checkObjects(ctx context.Context, scratch journal.Backend) (err error) {
	_, err = os.Lstat(b.at.Objects())
	if !b.content || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept, err := node.OpenDir(ctx, b.at.Objects(), true, false)
	if err != nil {
		return fmt.Errorf("opening the backup's objects: %w", err)
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	result := fsck.Result{Findings: b.report.Findings}
	err = fsck.CheckObjects(ctx, scratch, kept, &result)
	b.report.Objects, b.report.Findings = result.Objects, result.Findings
	return err
}
