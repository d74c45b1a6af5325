package fsck

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/node"
	"muniment/vault"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

// Unknown is a stored object that belongs to no document of the log. It was in the store when the journal was restored,
// or went on after a loss, and is newer than what came back: whoever deposited then is to send it again.
type Unknown struct {
	Key  string    `json:"key"`
	At   time.Time `json:"at"`   // when the store got it
	Size int64     `json:"size"` // of the ciphertext, which is a little larger than the document
}

// unknownAtOnce is how many objects are looked up in one transaction.
const unknownAtOnce = 256

// UnknownObjects lists the objects of deposits that did not come back; none where the journal never came back from
// elsewhere.
func UnknownObjects(ctx context.Context, b journal.Backend, store objects.Store) (all []Unknown, err error) {
	var back vault.Return
	err = b.View(ctx, func(r journal.Reader) (err error) {
		back, err = vault.LastReturn(r)
		return err
	})
	if err != nil || back.At.IsZero() {
		return nil, err
	}
	var some []objects.Info
	look := func() error {
		err := b.View(ctx, func(r journal.Reader) error {
			for _, info := range some {
				none, err := vault.Unowned(r, info.Key)
				if err != nil {
					return err
				}
				if none {
					all = append(all, Unknown{Key: info.Key, At: info.Modified, Size: info.Size})
				}
			}
			return nil
		})
		some = some[:0]
		return err
	}
	for info, err := range store.List(ctx, vault.DefaultTenant+"/", "") {
		if err != nil {
			return nil, fmt.Errorf("listing the objects: %w", err)
		}
		if !back.Alarms(info.Modified) {
			continue
		}
		if some = append(some, info); len(some) == unknownAtOnce {
			if err := look(); err != nil {
				return nil, err
			}
		}
	}
	return all, look()
}

// catchesUp says whether the journal is only behind its release bucket, which reaches as far as a locked checkpoint:
// the next start brings it up to date, and compares the two then.
func catchesUp(ctx context.Context, s *node.Storage, kept checkpoints.Kept) (bool, error) {
	err := s.Backend.View(ctx, func(r journal.Reader) error {
		_, err := journal.TreeRoot(r, kept.Size)
		return err
	})
	if !errors.Is(err, journal.ErrNotFound) {
		return false, err
	}
	head, err := journal.ReadReleased(ctx, objects.NewBucket(s.Release), nil)
	if errors.Is(err, journal.ErrMissing) || errors.Is(err, journal.ErrDamaged) {
		return false, nil // the journal's own check says so
	}
	return head.Origin == kept.Origin && head.Size >= kept.Size, err
}

// lockedTable is where findings about locked checkpoints are.
const lockedTable = "locked checkpoints"

// checkLocked holds the journal against the newest locked checkpoint. A drill is older, and says so elsewhere.
func checkLocked(ctx context.Context, s *node.Storage, result *Result) error {
	drill, err := s.Folder.IsDrill()
	if err != nil {
		return fmt.Errorf("looking into the data folder: %w", err)
	}
	kept, err := node.CompareLocked(ctx, s.Objects, s.Backend.View, nil)
	switch {
	case errors.Is(err, node.ErrOlder) && drill:
		return nil
	case errors.Is(err, node.ErrOlder):
		if behind, err := catchesUp(ctx, s, kept); err != nil || behind {
			return err
		}
		result.Findings = append(result.Findings, Finding{lockedTable, kept.Key, err.Error()})
		return nil
	}
	result.Locked = kept.Size
	return err
}
