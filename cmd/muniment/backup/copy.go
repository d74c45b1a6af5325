package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"muniment/anchor/bounded"
	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault/checkpoints"
	"muniment/vault/objects/dir"
)

// openTarget opens the release bucket of the backup, or makes one in a folder that is empty.
func (b *backupRun) openTarget(ctx context.Context) (node.Store, error) {
	if err := refuseInside(node.Folder(b.cfg.Data), b.at); err != nil {
		return nil, err
	}
	if err := b.at.CheckMode(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(string(b.at))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening the backup: %w", err)
	}
	create := len(entries) == 0
	for _, e := range entries {
		if e.Name() == filepath.Base(b.at.Journal()) {
			return nil, cli.Hint(fmt.Errorf("%s is a data folder, and no backup", b.at),
				"give --to a folder of its own, on another disk")
		}
		create = create || e.Name() == filepath.Base(b.at.Release())
	}
	if !create {
		return nil, cli.Hint(fmt.Errorf("%s holds something else than a backup", b.at),
			"give --to an empty folder, or that of an earlier backup")
	}
	if err := os.MkdirAll(string(b.at), 0o700); err != nil {
		return nil, fmt.Errorf("making the backup's folder: %w", err)
	}
	return node.OpenDir(ctx, b.at.Release(), false, true)
}

// checkParts refuses to copy parts that are not in the data folder. Objects and keys that an earlier backup to the same
// folder has are copied again without being asked for: half of a backup would be none.
func (b *backupRun) checkParts() error {
	if b.withObjects && b.cfg.Storage.Kind != config.StorageFolder {
		return cli.Hint(errors.New("the objects are not in the data folder"),
			"have their bucket replicated by the store, and leave --with-objects out")
	}
	if b.withKeys && b.cfg.Keys.Kind != config.KeysFile {
		return cli.Hint(errors.New("there is no key file to copy"),
			"back Vault up by its own means, and leave --with-keys out")
	}
	for path, wanted := range map[string]*bool{b.at.Objects(): &b.withObjects, b.at.Keys(): &b.withKeys} {
		_, err := os.Lstat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking into the backup: %w", err)
		}
		*wanted = *wanted || err == nil
	}
	return nil
}

// refuseInside refuses a backup inside of what it is a backup of.
func refuseInside(data, backup node.Folder) error {
	real := func(f node.Folder) string {
		path, err := filepath.Abs(string(f))
		if err != nil {
			return string(f)
		}
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			path = resolved
		}
		return path
	}
	within, err := filepath.Rel(real(data), real(backup))
	if err == nil && within != ".." && !strings.HasPrefix(within, ".."+string(filepath.Separator)) {
		return cli.Hint(fmt.Errorf("%s is inside of the data folder %s: what takes the one takes the other", backup,
			data),
			"give --to a folder on another disk or machine")
	}
	return nil
}

// copyReleased copies the journal's history.
func (b *backupRun) copyReleased(ctx context.Context, from, to journal.Bucket) (*journal.Copied, error) {
	bar := cli.StartProgress(b.Stderr, "copying", 0)
	b.askKeys(ctx, from)
	copied, err := journal.CopyReleased(ctx, journal.CopyConfig{From: from, To: to, ShippingKeys: b.shipping,
		Progress: bar.At})
	switch {
	case errors.Is(err, journal.ErrMissing):
		return nil, cli.Hint(err, "nothing has been released yet; start the server first")
	case errors.Is(err, journal.ErrContradicts):
		return nil, cli.Hint(err, "the folder has a backup of another journal, or of a later time: look whether "+
			"an old state was put back; "+
			"a backup in a new folder loses nothing")
	case err != nil:
		return nil, err
	}
	b.report.Batches, b.report.Bytes = copied.Batches, copied.Bytes
	b.report.Added = copied.Head.Size - copied.Before.Size
	bar.End(fmt.Sprintf("%s, %s", cli.Count(uint64(copied.Batches), "batch", "batches"), cli.Size(copied.Bytes)))
	return copied, nil
}

// copyParts copies what may be newer than the copied log.
func (b *backupRun) copyParts(ctx context.Context, source *node.Storage) error {
	for _, path := range []func(node.Folder) string{node.Folder.Policy, node.Folder.PublicKeys} {
		if err := copyWhole(path(source.Folder), path(b.at), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("copying the policy and public keys: %w", err)
		}
	}
	if b.withKeys {
		if err := copyWhole(source.Folder.Keys(), b.at.Keys(), 0o600); err != nil {
			return fmt.Errorf("copying the key file: %w", err)
		}
	}
	if from, ok := source.Objects.(*dir.Store); ok && b.withObjects {
		return b.copyObjects(ctx, from)
	}
	return nil
}

// copyObjects copies the documents' ciphertext that the backup lacks.
func (b *backupRun) copyObjects(ctx context.Context, from *dir.Store) (err error) {
	to, err := node.OpenDir(ctx, b.at.Objects(), true, true)
	if err != nil {
		return fmt.Errorf("opening the backup's objects: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	bar := cli.StartProgress(b.Stderr, "objects", 0)
	// A locked checkpoint may be newer than the copied log, and one in the same backup would vouch for nothing.
	locked := func(key string) bool { return strings.HasPrefix(key, checkpoints.Prefix) }
	n, bytes, err := from.CopyTo(ctx, to, locked, func(n int) { bar.At(uint64(n), 0) })
	if err != nil {
		return fmt.Errorf("copying the objects: %w", err)
	}
	bar.End(fmt.Sprintf("%s, %s", cli.Count(uint64(n), "new version", "new versions"), cli.Size(bytes)))
	return nil
}

// copyWitnesses copies what says how far the log must reach.
func (b *backupRun) copyWitnesses(chain []string, signed []byte) error {
	if err := copyBlocks(chain, b.at); err != nil {
		return fmt.Errorf("copying the ledger's blocks: %w", err)
	}
	if len(signed) == 0 {
		return nil
	}
	if err := writeWhole(b.at.Checkpoint(), signed, 0o644); err != nil {
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	return nil
}

// blocksNow are the files of the embedded ledger's blocks. Each is complete when it has its name.
func blocksNow(f node.Folder) ([]string, error) {
	entries, err := os.ReadDir(f.Ledger())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the ledger's blocks: %w", err)
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".block") {
			files = append(files, filepath.Join(f.Ledger(), e.Name()))
		}
	}
	return files, nil
}

// copyBlocks copies the blocks that are not there yet.
func copyBlocks(files []string, to node.Folder) error {
	if err := os.MkdirAll(to.Ledger(), 0o700); err != nil {
		return err
	}
	for _, path := range files {
		target := filepath.Join(to.Ledger(), filepath.Base(path))
		if _, err := os.Lstat(target); err == nil {
			continue
		}
		if err := copyWhole(path, target, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// copyWhole copies a small file, or leaves what is there as it was.
func copyWhole(from, to string, mode fs.FileMode) error {
	data, err := bounded.ReadFile(from, bounded.Large)
	if err != nil {
		return err
	}
	return writeWhole(to, data, mode)
}

// writeWhole puts a file in its place as a whole, and on stable storage.
func writeWhole(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
