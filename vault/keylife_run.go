package vault

import (
	"context"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

// RunTrim carries out a trim: it destroys the versions of the tenant's key that it names, in every copy of what they
// have wrapped; access.TrimKey is needed. Who has approved it may not carry it out. That it begins is on record, and
// shipped, before anything is destroyed; from then on any key custodian can bring it to its end, however often it is
// broken off.
//
// Where this process is no custodian of the keys, the trim is returned as begun until the key custodian has trimmed in
// the key service; the next call sees that and puts it on record.
//
// Errors: ErrNotFound, ErrTrimOver, ErrUnapproved, ErrOwnRequest, ErrWaiting, ErrNotRewrapped, ErrNoBackup;
// access.ErrUnreleased; access.ErrDenied; keys.ErrUnavailable.
func (v *Vault) RunTrim(ctx context.Context, who access.Who, id journal.ID) (Trim, error) {
	trim, err := v.runTrim(ctx, who, id)
	if err != nil {
		return Trim{}, fmt.Errorf("trimming the tenant's key: %w", err)
	}
	return trim, nil
}

func (v *Vault) runTrim(ctx context.Context, who access.Who, id journal.ID) (Trim, error) {
	check := func(view journal.View) (Trim, []journal.Event, error) {
		trim, key, err := trimOf(view, who.Tenant, id)
		if err != nil || trim.State == TrimDone || trim.State == TrimBegun {
			return trim, nil, err
		}
		if err := mayBegin(view, who, trim, key); err != nil {
			return Trim{}, nil, err
		}
		trim.State, trim.Begun = TrimBegun, view.Now()
		return trim, []journal.Event{KeyTrimBegun.New(journal.ID{}, KeyTrimBegunData{ID: id})}, nil
	}
	// What cannot be undone is looked at twice: the record says that no row is older, and so must the rows. They come
	// after the question whether it may begin at all, and before the answer is put on record.
	trim, err := v.decideTrim(ctx, who, access.TrimKey, func(view journal.View) (Trim, []journal.Event, error) {
		trim, _, err := check(view)
		return trim, nil, err
	})
	if err != nil || trim.State == TrimDone {
		return trim, err
	}
	if err := v.noneOlder(ctx, who.Tenant, trim.Oldest); err != nil {
		return Trim{}, err
	}
	if trim, err = v.onTrim(ctx, who, access.TrimKey, check); err != nil || trim.State == TrimDone {
		return trim, err
	}
	if v.cfg.Custodian != nil {
		if err := v.cfg.Custodian.Trim(ctx, who.Tenant, trim.Oldest); err != nil {
			return Trim{}, err
		}
	}
	versions, err := v.cfg.Keys.Versions(ctx, who.Tenant)
	if err != nil {
		return Trim{}, err
	}
	if versions.Kept < trim.Oldest {
		if v.cfg.Custodian != nil {
			return Trim{}, fmt.Errorf("the key service still has version %d after a trim", versions.Kept)
		}
		return trim, nil
	}
	return v.recordTrimmed(ctx, who, id)
}

// mayBegin says whether every condition of a trim is met.
func mayBegin(view journal.View, who access.Who, trim Trim, key keyRow) error {
	switch {
	case !trim.open():
		return ErrTrimOver
	case trim.State != TrimApproved:
		return ErrUnapproved
	case trim.Approver == who.Actor().ID:
		return ErrOwnRequest
	case view.Now().Before(trim.NotBefore):
		return ErrWaiting
	}
	return key.trimmable(trim.Oldest)
}

// noneOlder looks at every sealed row of a tenant: ErrNotRewrapped if one is wrapped with a version before oldest, or
// cannot be read, in spite of what is on record.
func (v *Vault) noneOlder(ctx context.Context, tenant string, oldest int) error {
	rows := walk{view: v.cfg.Journal.View, tenant: tenant, below: oldest}
	for !rows.ended {
		found, _, err := rows.next(ctx)
		if err != nil {
			return fmt.Errorf("looking at the sealed rows: %w", err)
		}
		if len(found) > 0 {
			return fmt.Errorf("%w: at least %d sealed rows are older than their record says: run muniment fsck",
				ErrNotRewrapped, len(found))
		}
	}
	return nil
}

// recordTrimmed puts on record that the versions are gone, and how many erased documents are so in every backup from
// now on. Who may trim has been asked before they went.
func (v *Vault) recordTrimmed(ctx context.Context, who access.Who, id journal.ID) (Trim, error) {
	var trim Trim
	_, err := v.cfg.Journal.Commit(ctx, who.Actor(), func(view journal.View) (journal.Change, error) {
		var key keyRow
		var err error
		if trim, key, err = trimOf(view, who.Tenant, id); err != nil || trim.State == TrimDone {
			return journal.Change{}, err
		}
		count, err := erasedUnder(view, who.Tenant, key.Oldest, trim.Oldest)
		if err != nil {
			return journal.Change{}, err
		}
		trim.State, trim.Done = TrimDone, view.Now()
		return journal.Change{Events: []journal.Event{
			KeyTrimmed.New(journal.ID{}, KeyTrimmedData{ID: id, Oldest: trim.Oldest}),
			ErasedInBackups.New(journal.ID{}, ErasedInBackupsData{ID: id, Before: trim.Oldest, Count: count}),
		}}, nil
	})
	return trim, err
}
