package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

const (
	// sweepBatch is how many versions are looked at together: one event says that those among them that no document has
	// are abandoned. Their keys fit into its body, at 50 bytes each as this vault makes them; see abandonedBytes.
	sweepBatch = 256
	// abandonedBytes bounds the keys in one event: a store may hold longer ones that others have put there.
	abandonedBytes = journal.MaxBody / 2
	// storeCalls is how many calls of the object store a duty or a sweep has under way at a time.
	storeCalls = 8
	// uploadAge is how old an upload that never ended must be before a sweep takes what it has sent.
	uploadAge = 7 * 24 * time.Hour
	// lockSlack is how much longer than uploadLock an upload's lock may seem to be: the clocks of machine and store
	// differ.
	lockSlack = time.Hour
)

// Sweep deletes the objects of tenant that no document has: what uploads have left that broke off between the object
// and the commit. It looks only at objects whose upload lock has ended. That objects are abandoned is committed, and
// released, before they are deleted, and a deposit that still wants one is refused by its own commit, so neither can
// miss the other.
//
// An object may also be unknown because the journal is an older one, lost entries, or is another vault's. Objects from
// before a restore or an accepted loss therefore stay, and those of them that are newer than what came back are an
// alarm, on record; so does an object whose lock was extended, which happens to documents only. Objects of no tenant,
// such as the locked checkpoints, are never looked at.
//
// It also has the store forget uploads that never ended, and probes of its locks. Its memory does not grow with the
// number of objects. It returns how many objects it deleted.
func (v *Vault) Sweep(ctx context.Context, tenant string) (int, error) {
	s := sweep{Vault: v, tenant: tenant, now: v.cfg.Clock.Now()}
	err := s.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		s.back, err = LastReturn(r)
		return err
	})
	if err == nil {
		err = s.run(ctx)
	}
	if err == nil {
		err = s.alarm(ctx)
	}
	if s.refused > 0 {
		v.cfg.Log.Warn("orphans could not be swept; the next sweep tries them again", "objects", s.refused,
			"error", s.refusal)
	}
	if s.strange > 0 {
		v.cfg.Log.Error("objects that belong to no document here were a document's once; "+
			"they stay: look whether the journal lost entries, "+
			"or whether another vault uses the store", "objects", s.strange, "example", s.example)
	}
	if store, ok := v.cfg.Objects.(objects.Tidier); ok && err == nil {
		err = store.TidyUploads(ctx, tenant+"/", s.now.Add(-uploadAge))
	}
	if err == nil {
		err = objects.TidyProbes(ctx, v.cfg.Objects, s.now)
	}
	if err != nil {
		return s.deleted, fmt.Errorf("sweeping: %w", err)
	}
	return s.deleted, nil
}

// sweep is one going through a tenant's objects.
type sweep struct {
	*Vault
	tenant  string
	now     time.Time
	back    Return // when the journal last came back
	unknown ObjectsUnknownData
	deleted int
	strange int    // objects that were a document's once
	example string // one of them

	refused int   // orphans that the store refuses to look at or to delete
	refusal error // of one of them
}

// goOn takes the store's refusal of one object, which keeps no other from being swept. A store that is away ends the
// sweep. The caller holds the lock of what the sweep counts.
func (s *sweep) goOn(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, objects.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	s.refused, s.refusal = s.refused+1, err
	return nil
}

func (s *sweep) run(ctx context.Context) error {
	var batch, old []objects.Info
	size := 0
	for info, err := range s.cfg.Objects.List(ctx, s.tenant+"/", "") {
		if err != nil {
			return err
		}
		if s.back.Alarms(info.Modified) {
			if old = append(old, info); len(old) == sweepBatch {
				if err := s.look(ctx, old); err != nil {
					return err
				}
				old = old[:0]
			}
		}
		if s.spared(info) {
			continue
		}
		batch, size = append(batch, info), size+len(info.Key)
		if len(batch) == sweepBatch || size >= abandonedBytes-objects.MaxKey {
			if err := s.sweep(ctx, batch); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
	}
	if err := s.look(ctx, old); err != nil {
		return err
	}
	return s.sweep(ctx, batch)
}

// spared says whether a version cannot be swept yet.
func (s *sweep) spared(info objects.Info) bool {
	return info.Held || s.now.Before(info.RetainUntil) || s.now.Sub(info.Modified) < uploadLock ||
		s.back.Spares(info.Modified) || strings.HasPrefix(info.Key, checkpoints.Prefix)
}

// extended says whether the lock of an object was extended, long ago perhaps: then a document had it.
func extended(info objects.Info) bool {
	return info.RetainUntil.Sub(info.Modified) > uploadLock+lockSlack
}

// sweep deletes those versions of a batch that are orphans. A version that a document's object has beside the recorded
// one is left alone: it is evidence of tampering, for a person to look at.
func (s *sweep) sweep(ctx context.Context, batch []objects.Info) error {
	orphans, err := s.orphans(ctx, batch)
	if err != nil || len(orphans) == 0 {
		return err
	}
	if orphans, err = s.unlocked(ctx, orphans); err != nil || len(orphans) == 0 {
		return err
	}
	if orphans, err = s.abandon(ctx, orphans); err != nil {
		return err
	}
	var mu sync.Mutex
	return inParallel(ctx, orphans, func(info objects.Info) error {
		err := s.cfg.Objects.Delete(ctx, info.Key, info.Version)
		if errors.Is(err, objects.ErrLocked) { // since it was looked at; the next sweep will find it
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			s.deleted++
		}
		return s.goOn(ctx, err)
	})
}

// orphans are the versions of a batch that no document has now.
func (s *sweep) orphans(ctx context.Context, batch []objects.Info) (orphans []objects.Info, err error) {
	err = s.cfg.Journal.View(ctx, func(r journal.Reader) error {
		orphans = nil
		for _, info := range batch {
			none, err := unowned(r, info.Key)
			if err != nil {
				return err
			}
			if none {
				orphans = append(orphans, info)
			}
		}
		return nil
	})
	return orphans, err
}

// unlocked asks the store about the orphans' locks, of which a list may tell nothing, and returns those that may go.
func (s *sweep) unlocked(ctx context.Context, orphans []objects.Info) ([]objects.Info, error) {
	var mu sync.Mutex
	var free []objects.Info
	err := inParallel(ctx, orphans, func(info objects.Info) error {
		stat, err := s.cfg.Objects.Stat(ctx, info.Key, info.Version)
		if errors.Is(err, objects.ErrNotFound) || (err == nil && s.spared(stat)) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			return s.goOn(ctx, err)
		case extended(stat):
			s.strange, s.example = s.strange+1, info.Key
		default:
			free = append(free, info)
		}
		return nil
	})
	return free, err
}

// abandon puts on record that the orphans are abandoned, but for those that a document has after all, and returns the
// former.
func (s *sweep) abandon(ctx context.Context, orphans []objects.Info) (gone []objects.Info, err error) {
	actor := journal.Actor{Tenant: s.tenant, ID: sweepActor}
	_, err = s.cfg.Journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
		gone = nil
		var data ObjectsAbandonedData
		named := map[string]bool{}
		for _, info := range orphans {
			none, err := unowned(view, info.Key)
			if err != nil {
				return journal.Change{}, err
			}
			if !none {
				continue
			}
			gone = append(gone, info)
			_, known, err := abandoned.Get(view, []byte(info.Key))
			if err != nil {
				return journal.Change{}, err
			}
			if !known && !named[info.Key] { // by an earlier sweep that came no further
				named[info.Key] = true
				data.Keys = append(data.Keys, info.Key)
			}
		}
		if len(data.Keys) == 0 {
			return journal.Change{}, nil
		}
		return journal.Change{Events: []journal.Event{ObjectsAbandoned.New(journal.ID{}, data)}}, nil
	})
	if err == nil {
		err = s.cfg.Door.Shipped(ctx)
	}
	return gone, err
}

// unowned says whether no document has the object.
func unowned(r journal.Reader, key string) (bool, error) {
	found := true
	err := documents.ScanBy(r, "object", journal.Prefix(objectPlace(key)), func(_, _ []byte, _ document) error {
		found = false
		return journal.Stop
	})
	return found, err
}

// inParallel does work on each of the items, storeCalls at a time. It begins none after the first error, which it
// returns when all that were begun have ended.
func inParallel[T any](ctx context.Context, items []T, work func(T) error) error {
	next := make(chan T)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var workers sync.WaitGroup
	for range min(storeCalls, len(items)) {
		workers.Go(func() {
			for item := range next {
				if err := work(item); err != nil {
					stop(err)
				}
			}
		})
	}
	for _, item := range items {
		if ctx.Err() != nil {
			break
		}
		select {
		case next <- item:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}
