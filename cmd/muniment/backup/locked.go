package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

// lockedNow is the newest checkpoint that is locked in the documents' store before anything is copied: the copy must
// reach as far. It is nil when there is none, or no policy that says whose signature counts.
func (b *backupRun) lockedNow(ctx context.Context, source *node.Storage) ([]byte, error) {
	policy, err := node.ReadPolicy(source.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head, err := journal.ReadReleased(ctx, objects.NewBucket(source.Release), nil)
	if err != nil {
		return nil, damagedBackup(err)
	}
	var keys []string
	for _, origin := range policy.Origins {
		keys = append(keys, origin.Keys...)
	}
	kept, err := checkpoints.Newest(ctx, checkpoints.Search{
		Store: source.Objects, Journal: head.Journal, Origin: head.Origin, Keys: keys, Passed: node.Strangers(b.Stderr),
	})
	switch {
	case errors.Is(err, checkpoints.ErrNone):
		return nil, nil
	case err != nil:
		return nil, cli.Hint(err, "a backup is held against what the documents' store has of the journal: fsck says "+
			"more")
	case kept.Size > head.Size:
		return nil, cli.Hint(fmt.Errorf("a checkpoint at %d is locked in the documents' store, and the release "+
			"bucket is at "+
			"%d: it was put back to an earlier time", kept.Size, head.Size),
			"make no backup of it: look for a newer copy of the release bucket")
	}
	return kept.Note, nil
}
