package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"muniment/anchor/bounded"
	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

// firstLeaves is how many entries a first start that broke off may have left at most: a tenant is founded with ten or
// so, and whatever has more was served.
const firstLeaves = 64

// beginning is what the marker of a first start holds: the ids of the journals that it has begun, the newest last. By
// them a repeated start knows what it has left behind.
type beginning struct {
	Journals []journal.ID `json:"journals"`
}

func (b beginning) has(id journal.ID) bool { return slices.Contains(b.Journals, id) }

// readBeginning reads the marker of a first start; the zero value when there is none.
func (f Folder) readBeginning() (b beginning, err error) {
	raw, err := bounded.ReadFile(f.starting(), bounded.Small)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &b)
	}
	if err != nil {
		return b, cli.Hint(fmt.Errorf("the marker of a first start, %s, cannot be read: %w", f.starting(), err),
			"if the vault in this folder has served, remove the file; else remove the folder and start again")
	}
	return b, nil
}

// begin marks that the first start of a journal is under way, until EndFirstStart is called.
func (f Folder) begin(b beginning) error {
	if err := f.Make(); err != nil {
		return err
	}
	raw, err := json.Marshal(b)
	if err == nil {
		err = writeDurably(f.starting(), raw)
	}
	if err != nil {
		return fmt.Errorf("marking the first start: %w", err)
	}
	return nil
}

// clearBeginning removes what a first start that broke off has left, in the folder and in the release bucket, so that
// another journal can begin. Nobody was told of the old one: its API key has never been shown. It refuses where the
// stores are not that start's own, or hold more than a first start makes.
func (s *Storage) clearBeginning(ctx context.Context) error {
	if err := s.ownBeginning(ctx); err != nil {
		return err
	}
	if err := s.refuseUsed(ctx); err != nil {
		return cli.Hint(fmt.Errorf("%s is marked as a first start that broke off: %w", s.Folder, err),
			"this vault has served: remove "+s.Folder.starting()+" and start again")
	}
	for _, path := range []string{s.Folder.Journal(), s.Folder.Checkpoint(), s.Folder.Policy(), s.Folder.Ledger()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing what a broken first start has left: %w", err)
		}
	}
	var names []string
	for info, err := range s.Release.List(ctx, "", "") {
		if err != nil {
			return fmt.Errorf("looking for what a broken first start has left: %w", err)
		}
		if info.Key != objects.ReleaseOwner {
			names = append(names, info.Key)
		}
	}
	for _, name := range append(names, objects.ReleaseOwner) {
		if err := s.Release.Delete(ctx, name, ""); err != nil {
			return fmt.Errorf("removing what a broken first start has left: %w", err)
		}
	}
	return s.releaseOwner(ctx)
}

// ownBeginning says whether both stores are those of the first start that broke off.
func (s *Storage) ownBeginning(ctx context.Context) error {
	const next = "name the stores that were named then, or other, empty ones with an empty folder"
	for _, o := range s.owned() {
		owner, there, err := objects.ReadOwner(ctx, o.store, o.object)
		if err != nil {
			return cli.Hint(err, next)
		}
		if there && !s.begun.has(owner.Journal) {
			return cli.Hint(fmt.Errorf("the first start in %s was broken off, and %s is of another journal by now, "+
				"%s: %w",
				s.Folder, o.what, owner.Journal, objects.ErrOwned), next)
		}
		if !there && o.object == objects.ReleaseOwner {
			for info, err := range o.store.List(ctx, "", "") {
				if err != nil {
					return fmt.Errorf("looking into the release bucket: %w", err)
				}
				return cli.Hint(fmt.Errorf("the first start in %s was broken off, and the release bucket holds "+
					"something "+
					"else than it has left: %s", s.Folder, info.Key), next)
			}
		}
	}
	head, err := journal.ReadReleased(ctx, objects.NewBucket(s.Release), nil)
	if err != nil && !errors.Is(err, journal.ErrMissing) && !errors.Is(err, journal.ErrDamaged) {
		return err
	}
	if err == nil && (head.Size > firstLeaves || !s.begun.has(head.Journal)) {
		return cli.Hint(fmt.Errorf("%s is marked as a first start that broke off, and its release bucket has a "+
			"journal "+
			"of %d leaves", s.Folder, head.Size),
			"this vault has served: remove "+s.Folder.starting()+" and start again")
	}
	return nil
}

// releaseOwner makes the documents' store nobody's again: the object stays under its lock, and another version of it
// is written over it when the store is claimed anew.
func (s *Storage) releaseOwner(ctx context.Context) error {
	owner, there, err := objects.ReadOwner(ctx, s.Objects, objects.DocumentsOwner)
	if err != nil || !there || owner.Journal == s.ID {
		return err
	}
	now := journal.SystemClock{}.Now()
	raw, err := json.Marshal(objects.Owner{V: owner.V, Journal: s.ID, At: now.UTC()})
	if err != nil {
		return err
	}
	info, err := s.Objects.Stat(ctx, objects.DocumentsOwner, "")
	if err == nil {
		_, err = s.Objects.Put(ctx, objects.DocumentsOwner, bytes.NewReader(raw), objects.PutOptions{
			Length: int64(len(raw)), Condition: objects.Condition{Tag: info.Tag},
			RetainUntil: now.Add(checkpoints.Lock),
		})
	}
	if err != nil {
		return fmt.Errorf("taking over the documents' store of the broken first start: %w", err)
	}
	return nil
}
