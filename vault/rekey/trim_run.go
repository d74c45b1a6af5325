package rekey

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/seal"
)

// RunTrim carries out a trim: it destroys the versions of the tenant's key that it names, in every copy of what they
// have wrapped; access.TrimKey is needed. Its approver may not carry it out. Its beginning is on record, and a locked
// checkpoint covers it, before anything is destroyed; from then on any key custodian can bring it to its end, however
// often it is broken off.
//
// Where this process is no custodian of the keys, the trim is returned as begun until the key custodian has trimmed in
// the key service; the next call sees that and puts it on record.
//
// The trim's row is proved by the events, before it begins and before anything is destroyed.
//
// Errors: ErrNoTrim, approval.ErrOver, approval.ErrUnapproved, approval.ErrOwnRequest, approval.ErrWaiting,
// access.ErrForged, ErrNotRewrapped, ErrNoBackup, ErrCanary; ErrNotStarted; access.ErrUnreleased, together with the
// trim, when it is done and no locked checkpoint covers that yet; access.ErrDenied; keys.ErrUnavailable.
func (k *Keys) RunTrim(ctx context.Context, who access.Who, id journal.ID) (Trim, error) {
	trim, err := k.runTrim(ctx, who, id)
	if err == nil && trim.State == approval.Done {
		err = k.cfg.Door.Kept(ctx)
	}
	if err != nil {
		return trim, fmt.Errorf("trimming the tenant's key: %w", err)
	}
	return trim, nil
}

func (k *Keys) runTrim(ctx context.Context, who access.Who, id journal.ID) (Trim, error) {
	check := func(view journal.View) (Trim, []journal.Event, error) {
		trim, key, err := k.trimOf(view, who.Tenant, id)
		if err != nil || trim.State == approval.Done || trim.State == approval.Begun {
			return trim, nil, err
		}
		if trim.Proposal, err = trim.Begin(trim.State, who.Actor().ID, view.Settled()); err != nil {
			return Trim{}, nil, err
		}
		if err := k.trimmable(view, who.Tenant, key, trim.Oldest); err != nil {
			return Trim{}, nil, err
		}
		trim.State, trim.Begun = approval.Begun, view.Now()
		return trim, []journal.Event{KeyTrimBegun.New(journal.ID{}, KeyTrimBegunData{ID: id})}, nil
	}
	// An act that cannot be undone is checked twice: the record says that no row is older, and so must the rows. They
	// come after the question whether it may begin at all, and before the answer is put on record.
	trim, err := approval.Decide(ctx, k.cfg.Door, who, access.TrimKey,
		func(view journal.View) (Trim, []journal.Event, error) {
			trim, _, err := check(view)
			return trim, nil, err
		})
	if err != nil || trim.State == approval.Done {
		return trim, err
	}
	if err := k.noneOlder(ctx, who.Tenant, trim.Oldest); err != nil {
		return Trim{}, err
	}
	if err := k.canaryOpens(ctx, who, id); err != nil {
		return Trim{}, err
	}
	trim, err = approval.Commit(ctx, k.cfg.Door, who, access.TrimKey, check)
	if errors.Is(err, access.ErrUnreleased) {
		return Trim{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	if err != nil || trim.State == approval.Done {
		return trim, err
	}
	if err := k.begun(ctx, who.Tenant, trim); err != nil {
		return Trim{}, err
	}
	if k.cfg.Custodian != nil {
		if err := k.cfg.Custodian.Trim(ctx, who.Tenant, trim.Oldest); err != nil {
			return Trim{}, err
		}
	}
	versions, err := k.cfg.Keys.Versions(ctx, who.Tenant)
	if err != nil {
		return Trim{}, err
	}
	if versions.Kept < trim.Oldest {
		if k.cfg.Custodian != nil {
			return Trim{}, fmt.Errorf("the key service still has version %d after a trim", versions.Kept)
		}
		return trim, nil
	}
	return k.recordTrimmed(ctx, who, id)
}

// begun proves in a snapshot that the trim which is about to destroy something has begun, and destroys as much as was
// approved. Every decide has proved the trim before; this is what the snapshot says that follows them.
func (k *Keys) begun(ctx context.Context, tenant string, trim Trim) error {
	return k.cfg.Journal.View(ctx, func(r journal.Reader) error {
		row, ok, err := trims.Get(r, tenantKey(tenant, trim.ID[:]...))
		if err == nil && !ok {
			err = ErrNoTrim
		}
		if err == nil {
			err = k.prove(r, tenant, row, trim.ID)
		}
		if err == nil && (row.Beginning == 0 || row.Oldest != trim.Oldest) {
			err = access.ErrForged
		}
		return err
	})
}

// noneOlder looks at every sealed row of a tenant: ErrNotRewrapped if one is wrapped with a version before oldest, or
// cannot be read, in spite of what is on record. Whose a row is, is proved by the event that binds it: a row of the
// tenant's that a table calls another's would be left out by the rewrap, and lost with the versions.
func (k *Keys) noneOlder(ctx context.Context, tenant string, oldest int) error {
	rows := walk{view: k.cfg.Journal.View, rows: k.cfg.Rows, tenant: tenant, below: oldest, journal: k.cfg.Journal}
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

// canaryOpens opens a row that the tenant has from its beginning, and whose binding names the journal: ErrCanary, which
// goes on record, if the key service has not the key that the row is wrapped with. A trim would destroy somebody else's
// key then.
func (k *Keys) canaryOpens(ctx context.Context, who access.Who, id journal.ID) error {
	var row seal.Sealed
	err := k.cfg.Journal.View(ctx, func(r journal.Reader) error {
		key, err := k.cfg.Rows.Canary(r, who.Tenant)
		if err != nil {
			return err
		}
		if row.Binding, err = k.cfg.Rows.Binding(r, key); err != nil {
			return err
		}
		value, err := journal.SealedRow(r, key)
		row.Value = bytes.Clone(value)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading a row to try the key on: %w", err)
	}
	opened, err := seal.Open(ctx, k.cfg.Keys, who.Tenant, []seal.Sealed{row})
	if err != nil {
		return fmt.Errorf("trying the key on a row: %w", err)
	}
	clear(opened[0].Text)
	if opened[0].Err == nil {
		return nil
	}
	refused := fmt.Errorf("%w: nothing was destroyed: %w", ErrCanary, opened[0].Err)
	_, err = k.cfg.Door.Act(ctx, who, access.TrimKey, func(journal.View) (journal.Change, error) {
		return journal.Change{}, access.Recorded(refused, KeyTrimRefused.New(journal.ID{}, KeyTrimRefusedData{ID: id}))
	})
	return err
}

// recordTrimmed puts on record that the versions are gone, and how many erased documents are so in every backup from
// now on. The permission to trim was asked for before they went.
func (k *Keys) recordTrimmed(ctx context.Context, who access.Who, id journal.ID) (Trim, error) {
	var trim Trim
	_, err := k.cfg.Journal.Commit(ctx, who.Actor(), func(view journal.View) (journal.Change, error) {
		var key keyRow
		var err error
		if trim, key, err = k.trimOf(view, who.Tenant, id); err != nil || trim.State == approval.Done {
			return journal.Change{}, err
		}
		count, err := k.cfg.Rows.ErasedUnder(view, who.Tenant, key.Oldest, trim.Oldest)
		if err != nil {
			return journal.Change{}, err
		}
		trim.State, trim.Done = approval.Done, view.Now()
		return journal.Change{Events: []journal.Event{
			KeyTrimmed.New(journal.ID{}, KeyTrimmedData{ID: id, Oldest: trim.Oldest}),
			ErasedInBackups.New(journal.ID{}, ErasedInBackupsData{ID: id, Before: trim.Oldest, Count: count}),
		}}, nil
	})
	return trim, err
}
