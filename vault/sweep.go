package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

// Sweep deletes the objects of tenant that no document has: what uploads have left that broke off between the object and
// the commit. It looks only at objects whose upload lock has ended. That an object is abandoned is committed before it is
// deleted, and a deposit that still wants it is refused by its own commit, so neither can miss the other. It returns how
// many objects it deleted.
func (v *Vault) Sweep(ctx context.Context, tenant string) (int, error) {
	deleted := 0
	for info, err := range v.cfg.Objects.List(ctx, tenant+"/", "") {
		if err != nil {
			return deleted, fmt.Errorf("sweeping: %w", err)
		}
		gone, err := v.sweepOne(ctx, tenant, info, v.cfg.Clock.Now())
		if err != nil {
			return deleted, fmt.Errorf("sweeping: %w", err)
		}
		if gone {
			deleted++
		}
	}
	return deleted, nil
}

// sweepOne deletes one version if it is an orphan. A version that a document's object has beside the recorded one is left
// alone: it is evidence of tampering, for a person to look at.
func (v *Vault) sweepOne(ctx context.Context, tenant string, info objects.Info, now time.Time) (bool, error) {
	if info.Held || now.Before(info.RetainUntil) || now.Sub(info.Modified) < uploadLock {
		return false, nil
	}
	orphan := false
	_, err := v.cfg.Journal.Commit(ctx, journal.Actor{Tenant: tenant, ID: "sweep"}, func(view journal.View) (journal.Change, error) {
		var err error
		if orphan, err = unowned(view, info.Key); err != nil || !orphan {
			return journal.Change{}, err
		}
		_, known, err := abandoned.Get(view, []byte(info.Key))
		if err != nil || known { // by an earlier sweep that came no further
			return journal.Change{}, err
		}
		event := ObjectAbandoned.New(journal.ID{}, ObjectAbandonedData{Key: info.Key})
		return journal.Change{Events: []journal.Event{event}}, nil
	})
	if err != nil || !orphan {
		return false, err
	}
	err = v.cfg.Objects.Delete(ctx, info.Key, info.Version)
	if errors.Is(err, objects.ErrLocked) { // since it was listed; the next sweep will find it
		return false, nil
	}
	return err == nil, err
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
