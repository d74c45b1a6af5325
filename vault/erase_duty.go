package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

const (
	// eraseDuty is the duty to delete the ciphertext of an erased document.
	eraseDuty  = "erase"
	eraseBatch = 64
	eraseEvery = 5 * time.Second
	// heldAgain is when an object is looked at again that a legal hold without an end keeps.
	heldAgain = 24 * time.Hour
	// eraseActor is who has deleted an object, in the tenant's record.
	eraseActor = "erase"
)

// workErasures performs the erase duty until ctx ends.
func (v *Vault) workErasures(ctx context.Context) {
	if err := v.cfg.Journal.Work(ctx, v.eraseWorker()); err != nil && ctx.Err() == nil {
		v.cfg.Log.Error("the erase duty has ended", "error", err)
	}
}

func (v *Vault) eraseWorker() journal.Worker {
	return journal.Worker{Kind: eraseDuty, Batch: eraseBatch, Every: eraseEvery, Do: v.eraseObjects}
}

// eraseObjects deletes the ciphertexts of a batch of erased documents, once their erasure is released. A ciphertext
// that is locked is tried again when its lock ends.
func (v *Vault) eraseObjects(ctx context.Context, due []journal.Duty) ([]journal.Outcome, error) {
	if err := v.cfg.Door.Shipped(ctx); err != nil {
		return nil, fmt.Errorf("deleting the content of erased documents: %w", err)
	}
	var outcomes []journal.Outcome
	for _, duty := range due {
		again, err := v.eraseObject(ctx, duty.Doc)
		if err != nil {
			err = fmt.Errorf("deleting the content of document %s: %w", duty.Doc, err)
		}
		outcomes = append(outcomes, journal.Outcome{Duty: duty, Again: again, Failed: err})
		if ctx.Err() != nil {
			break // the rest is not tried in this batch
		}
	}
	return outcomes, nil
}

// eraseObject deletes one document's ciphertext and puts that on record, or says when to try again.
func (v *Vault) eraseObject(ctx context.Context, id journal.ID) (again time.Time, err error) {
	var row document
	err = v.cfg.Journal.View(ctx, func(r journal.Reader) (err error) {
		row, _, err = documents.Get(r, id[:])
		return err
	})
	if err != nil || !row.Erased || row.Removed {
		return time.Time{}, err
	}
	err = v.cfg.Objects.Delete(ctx, row.Object.Key, row.Object.Version)
	if errors.Is(err, objects.ErrLocked) {
		return v.lockEnds(ctx, row.Object)
	}
	if err != nil {
		return time.Time{}, err
	}
	actor := journal.Actor{Tenant: row.Tenant, ID: eraseActor}
	_, err = v.cfg.Journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
		now, ok, err := documents.Get(view, id[:])
		if err != nil || !ok || now.Removed {
			return journal.Change{}, err
		}
		data := ObjectErasedData{Key: row.Object.Key, Version: row.Object.Version}
		return journal.Change{Events: []journal.Event{ObjectErased.New(id, data)}}, nil
	})
	return time.Time{}, err
}

// lockEnds is when to try again to delete an object that is locked.
func (v *Vault) lockEnds(ctx context.Context, o StoredObject) (time.Time, error) {
	info, err := v.cfg.Objects.Stat(ctx, o.Key, o.Version)
	if err != nil && !errors.Is(err, objects.ErrNotFound) {
		return time.Time{}, err
	}
	now := v.cfg.Clock.Now()
	switch {
	case info.RetainUntil.After(now):
		return info.RetainUntil, nil
	case !info.Held && !info.RetainUntil.IsZero():
		return time.Time{}, fmt.Errorf("its lock has ended by this clock, and by the store's it has not: %w",
			objects.ErrLocked)
	}
	return now.Add(heldAgain), nil
}

func reduceObjectErased(w *journal.Writer, e journal.Entry, _ ObjectErasedData) error {
	row, ok, err := documents.Get(w, e.Doc[:])
	if err != nil {
		return err
	}
	if !ok || !row.Erased {
		return errors.New("an object was erased whose document is not")
	}
	row.Removed = true
	return documents.Put(w, e.Doc[:], row)
}

// ObjectGone says whether the ciphertext of a document may be missing from the store: the document was erased.
func ObjectGone(r journal.Reader, id journal.ID) (bool, error) {
	row, _, err := documents.Get(r, id[:])
	return row.Erased, err
}
