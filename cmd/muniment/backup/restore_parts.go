package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault/objects"
)

// putBack puts the parts of a backup into the data folder and the release bucket, as far as they are missing there.
func (r *restoreRun) putBack(ctx context.Context) (err error) {
	from, to := node.Folder(r.from), node.Folder(r.cfg.Data)
	backup, err := node.OpenDir(ctx, from.Release(), false, false)
	if err != nil {
		return cli.Hint(fmt.Errorf("opening the backup: %w", err), "name the folder that was given to backup --to")
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	if err := r.refuseOwned(ctx, objects.NewBucket(backup)); err != nil {
		return err
	}
	if err := to.Make(); err != nil {
		return err
	}
	if err := r.putSmallParts(from, to); err != nil {
		return err
	}
	if r.cfg.Storage.Kind == config.StorageFolder {
		if err := r.putObjects(ctx, from, to); err != nil {
			return err
		}
	}
	return r.putReleased(ctx, objects.NewBucket(backup))
}

// refuseOwned refuses to put a backup into stores that are another journal's, before anything is written to them. Those
// of a folder are not there yet.
func (r *restoreRun) refuseOwned(ctx context.Context, backup journal.Bucket) (err error) {
	head, err := journal.ReadReleased(ctx, backup, nil)
	if err != nil {
		return damagedBackup(err)
	}
	if r.cfg.Storage.Kind != config.StorageS3 {
		return nil
	}
	stores := &node.Storage{Folder: node.Folder(r.cfg.Data)}
	defer func() { err = errors.Join(err, stores.Close()) }()
	if err := stores.OpenStores(ctx, r.cfg, slog.New(slog.DiscardHandler), false); err != nil {
		return err
	}
	return stores.RefuseOthers(ctx, head.Journal)
}

// putSmallParts puts back the key file, the ledger's blocks, the policy and the newest checkpoint, where there are
// none.
func (r *restoreRun) putSmallParts(from, to node.Folder) error {
	parts := []struct {
		path func(node.Folder) string
		mode fs.FileMode
	}{{node.Folder.Policy, 0o644}, {node.Folder.PublicKeys, 0o644}, {node.Folder.Checkpoint, 0o600}}
	if r.cfg.Keys.Kind == config.KeysFile {
		parts = append(parts, struct {
			path func(node.Folder) string
			mode fs.FileMode
		}{node.Folder.Keys, 0o600})
	}
	for _, part := range parts {
		if _, err := os.Lstat(part.path(to)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := copyWhole(part.path(from), part.path(to), part.mode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("putting back %s: %w", part.path(to), err)
		}
	}
	if _, err := os.Lstat(to.Keys()); r.cfg.Keys.Kind == config.KeysFile && errors.Is(err, fs.ErrNotExist) {
		return cli.Hint(fmt.Errorf("neither the backup nor the data folder has the key file, %s", to.Keys()),
			"put the key file there from where it is kept: without it no document can ever be read")
	}
	chain, err := blocksNow(from)
	if err != nil {
		return err
	}
	if err := copyBlocks(chain, to); err != nil {
		return fmt.Errorf("putting back the ledger's blocks: %w", err)
	}
	return nil
}

// putObjects puts the documents' objects back where there are none.
func (r *restoreRun) putObjects(ctx context.Context, from, to node.Folder) (err error) {
	if _, err := os.Lstat(from.Objects()); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(to.Objects()); errors.Is(err, fs.ErrNotExist) {
			return cli.Hint(fmt.Errorf("neither the backup nor the data folder has the documents' objects, %s",
				to.Objects()),
				"put the folder there from where it is backed up: the documents' content is in it")
		}
		return nil
	}
	source, err := node.OpenDir(ctx, from.Objects(), true, false)
	if err != nil {
		return fmt.Errorf("opening the backup's objects: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := node.OpenDir(ctx, to.Objects(), true, true)
	if err != nil {
		return fmt.Errorf("opening the objects: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	bar := cli.StartProgress(r.Stderr, "objects", 0)
	n, bytes, err := source.CopyTo(ctx, target, nil, func(n int) { bar.At(uint64(n), 0) })
	if err != nil {
		return fmt.Errorf("putting the objects back: %w", err)
	}
	bar.End(fmt.Sprintf("%s, %s", cli.Count(uint64(n), "version", "versions"), cli.Size(bytes)))
	return nil
}

// putReleased puts the journal's history into a release bucket that is empty, or has a part of this very history in it
// that an earlier try has left.
func (r *restoreRun) putReleased(ctx context.Context, backup journal.Bucket) (err error) {
	release, err := node.OpenRelease(ctx, r.cfg, slog.New(slog.DiscardHandler), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release.Close()) }()
	bucket := objects.NewBucket(release)
	head, err := journal.ReadReleased(ctx, backup, nil)
	if err != nil {
		return damagedBackup(err)
	}
	there, err := journal.ReadReleased(ctx, bucket, nil)
	switch {
	case err == nil && there.Origin == head.Origin && there.Size == head.Size && there.Root == head.Root:
		return nil
	case err == nil:
		return cli.Hint(fmt.Errorf("the release bucket has a journal already: %s at %d; the backup is of %s at %d",
			there.Origin, there.Size, head.Origin, head.Size),
			"restore without --from brings that one back; a backup is put into an empty bucket only")
	case errors.Is(err, journal.ErrDamaged):
		if err := refuseOtherHistory(ctx, bucket, backup); err != nil {
			return err
		}
	case !errors.Is(err, journal.ErrMissing):
		return err
	}
	bar := cli.StartProgress(r.Stderr, "copying", 0)
	copied, err := journal.CopyReleased(ctx, journal.CopyConfig{From: backup, To: bucket, Progress: bar.At})
	if err != nil {
		return damagedBackup(err)
	}
	bar.End(fmt.Sprintf("%s, %s", cli.Count(uint64(copied.Batches), "batch", "batches"), cli.Size(copied.Bytes)))
	return copied.Finish(ctx)
}

// refuseOtherHistory refuses a bucket without a head that has other batches than the backup: they are somebody's
// history.
func refuseOtherHistory(ctx context.Context, bucket, backup journal.Bucket) error {
	names, err := bucket.List(ctx, "")
	if err != nil {
		return err
	}
	known, err := backup.List(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range names {
		if journal.StaysInPlace(name) { // whose the bucket is was asked before
			continue
		}
		if _, ok := slices.BinarySearch(known, name); !ok {
			return cli.Hint(fmt.Errorf("the release bucket is not empty: %s is not of the backup", name),
				"a backup is put into an empty bucket only: name another, or put the missing object head back to "+
					"restore what is there")
		}
	}
	return nil
}
