package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/vault"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

// otherInstallation is what to do about a store that belongs to somebody else. Nothing has been written to it then.
const otherInstallation = "nothing was written. Look at storage.s3.bucket and storage.s3.release_bucket, or --data: " +
	"one " +
	"installation has a pair of stores of its own, and the other one goes on undisturbed"

// owned is a store, and the object that says whose it is.
type owned struct {
	store  Store
	object string
	what   string
}

func (s *Storage) owned() []owned {
	return []owned{
		{s.Release, objects.ReleaseOwner, "the release bucket"},
		{s.Objects, objects.DocumentsOwner, "the documents' store"},
	}
}

// checkOwners refuses stores that belong to another journal, before anything is written to either of them, and returns
// those that belong to nobody.
func (s *Storage) checkOwners(ctx context.Context, id journal.ID) (nobodys []owned, err error) {
	for _, o := range s.owned() {
		there, err := objects.CheckOwner(ctx, o.store, o.object, id)
		switch {
		case errors.Is(err, objects.ErrOwned):
			return nil, cli.Hint(fmt.Errorf("%s: %w", o.what, err), otherInstallation)
		case errors.Is(err, objects.ErrDamaged):
			return nil, cli.Hint(fmt.Errorf("%s: %w", o.what, err),
				fmt.Sprintf("put the object back from a backup; it reads {\"v\":1,\"journal\":\"%s\"} for this "+
					"journal", id))
		case err != nil:
			return nil, cli.Hint(fmt.Errorf("%s: %w", o.what, err), "the store must answer when a server starts")
		case !there:
			nobodys = append(nobodys, o)
		}
	}
	return nobodys, nil
}

// RefuseOthers refuses stores that belong to another journal.
func (s *Storage) RefuseOthers(ctx context.Context, id journal.ID) error {
	_, err := s.checkOwners(ctx, id)
	return err
}

// Claim makes both stores this journal's, unless they are already.
func (s *Storage) Claim(ctx context.Context, id journal.ID) error {
	nobodys, err := s.checkOwners(ctx, id)
	if err != nil {
		return err
	}
	for i, o := range nobodys {
		if err := s.claim(ctx, o, id); err != nil {
			if errors.Is(err, objects.ErrOwned) && i > 0 { // somebody was faster at the second, so the first is let go
				err = errors.Join(err, nobodys[0].store.Delete(ctx, nobodys[0].object, ""))
			}
			return cli.Hint(fmt.Errorf("%s: %w", o.what, err), otherInstallation)
		}
	}
	return nil
}

func (s *Storage) claim(ctx context.Context, o owned, id journal.ID) error {
	now := journal.SystemClock{}.Now()
	var until time.Time
	if o.object == objects.DocumentsOwner { // the release bucket knows no locks
		until = now.Add(checkpoints.Lock)
	}
	return objects.ClaimOwner(ctx, o.store, o.object, id, now, until)
}

// checkOwned is Claim for a journal that is there. A store of nobody's is claimed only if it holds what only this
// journal has put there: another one that a wrong line of the configuration names may be empty.
func (s *Storage) checkOwned(ctx context.Context, id journal.ID, log *slog.Logger) error {
	nobodys, err := s.checkOwners(ctx, id)
	if err != nil {
		return err
	}
	for _, o := range nobodys {
		ours, err := s.knows(ctx, o, id)
		if err != nil {
			return err
		}
		if !ours {
			return cli.Hint(fmt.Errorf("%s has no owner object %s, and nothing of this journal's", o.what, o.object),
				"another store is named than the one that this journal has used: nothing was written; name that "+
					"one, or, "+
					"if it is lost, move journal.db away and run muniment restore with a backup of what is left")
		}
		log.Warn("a store has lost its owner object; it is written again", "store", o.what)
		if err := s.claim(ctx, o, id); err != nil {
			return cli.Hint(fmt.Errorf("%s: %w", o.what, err), otherInstallation)
		}
	}
	return nil
}

// knows says whether a store holds something that the journal alone has put there.
func (s *Storage) knows(ctx context.Context, o owned, id journal.ID) (bool, error) {
	if o.object == objects.ReleaseOwner {
		head, err := journal.ReadReleased(ctx, objects.NewBucket(s.Release), nil)
		if errors.Is(err, journal.ErrMissing) || errors.Is(err, journal.ErrDamaged) {
			return true, nil // what is wrong with it, the journal says when it is opened, before it writes anything
		}
		return head.Journal == id, err
	}
	for info, err := range o.store.List(ctx, checkpoints.Prefix, "") {
		if err != nil {
			return false, fmt.Errorf("looking for locked checkpoints: %w", err)
		}
		if of, ok := checkpoints.JournalOf(info.Key); ok {
			return of == id, nil
		}
	}
	return false, nil
}

// refuseUsed refuses to begin a vault over what another has left: to its sweep the documents would be what broken
// uploads have left, and its history would lie among the remains of another.
func (s *Storage) refuseUsed(ctx context.Context) error {
	for _, prefix := range []string{vault.DefaultTenant + "/", checkpoints.Prefix} {
		for info, err := range s.Objects.List(ctx, prefix, "") {
			if err != nil {
				return fmt.Errorf("looking for documents of another vault: %w", err)
			}
			if id, ok := checkpoints.JournalOf(info.Key); ok && s.begun.has(id) {
				continue
			}
			return cli.Hint(fmt.Errorf("the documents' store has documents or checkpoints of another vault already, "+
				"and "+
				"the release bucket no journal that knows them: %s", info.Key),
				"if the journal was lost, name its release bucket, or restore --from a backup; a new vault needs an "+
					"empty bucket of its own")
		}
	}
	return nil
}
