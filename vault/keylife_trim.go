package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
)

const (
	// DefaultTrimWait is how long a trim waits after it was proposed, unless Config.TrimWait says otherwise.
	DefaultTrimWait = 30 * 24 * time.Hour
	// lapse is how long an approval holds, and how long a proposal stays open after its waiting period.
	lapse = 90 * 24 * time.Hour
)

// States of a trim.
const (
	TrimProposed   = "proposed"
	TrimApproved   = "approved"
	TrimBegun      = "begun"
	TrimDone       = "done"
	TrimLapsed     = "lapsed"
	TrimSuperseded = "superseded" // by a later proposal
)

// Trim is a proposal to destroy the versions of a tenant's key before Oldest, and what has become of it. Actors are
// those of the journal; times are zero for what has not happened.
type Trim struct {
	ID        journal.ID
	Oldest    int
	State     string
	Proposer  string
	Proposed  time.Time
	NotBefore time.Time // when the waiting period ends
	Lapses    time.Time // when the proposal does, unless the trim has begun
	Approver  string
	Approved  time.Time
	Until     time.Time // when the approval lapses
	Begun     time.Time
	Done      time.Time
}

// trimRow is a row of the table of trims, under tenant, 0, id.
type trimRow struct {
	Oldest    int       `json:"oldest"`
	Proposer  string    `json:"proposer"`
	Proposed  time.Time `json:"proposed"`
	NotBefore time.Time `json:"not_before"`
	Lapses    time.Time `json:"lapses"`
	Approver  string    `json:"approver,omitempty"`
	Approved  time.Time `json:"approved,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	Begun     time.Time `json:"begun,omitzero"`
	Done      time.Time `json:"done,omitzero"`
	// Report is the index of the documents.erased_in_backups event that belongs to it.
	Report uint64 `json:"report,omitempty"`
}

var trims = journal.NewRows[trimRow]("trims")

func reduceTrimProposed(w *journal.Writer, e journal.Entry, d KeyTrimProposedData) error {
	row := trimRow{Oldest: d.Oldest, Proposer: e.Actor, Proposed: e.At, NotBefore: d.NotBefore, Lapses: d.Lapses}
	if err := trims.Put(w, tenantKey(e.Tenant, d.ID[:]...), row); err != nil {
		return err
	}
	return changeKey(w, e, func(key *keyRow) { key.Trim = d.ID })
}

func reduceTrimApproved(w *journal.Writer, e journal.Entry, d KeyTrimApprovedData) error {
	return changeTrim(w, e, d.ID, func(row *trimRow) { row.Approver, row.Approved, row.Until = e.Actor, e.At, d.Lapses })
}

func reduceTrimBegun(w *journal.Writer, e journal.Entry, d KeyTrimBegunData) error {
	return changeTrim(w, e, d.ID, func(row *trimRow) { row.Begun = e.At })
}

func reduceTrimmed(w *journal.Writer, e journal.Entry, d KeyTrimmedData) error {
	if err := changeTrim(w, e, d.ID, func(row *trimRow) { row.Done = e.At }); err != nil {
		return err
	}
	return changeKey(w, e, func(key *keyRow) { key.Oldest = max(key.Oldest, d.Oldest) })
}

func reduceErasedInBackups(w *journal.Writer, e journal.Entry, d ErasedInBackupsData) error {
	return changeTrim(w, e, d.ID, func(row *trimRow) { row.Report = e.Index })
}

func changeTrim(w *journal.Writer, e journal.Entry, id journal.ID, change func(*trimRow)) error {
	key := tenantKey(e.Tenant, id[:]...)
	row, ok, err := trims.Get(w, key)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("a trim goes on that nobody has proposed")
	}
	change(&row)
	return trims.Put(w, key, row)
}

// public describes a trim as it is at a time.
func (t *trimRow) public(id journal.ID, key keyRow, now time.Time) Trim {
	out := Trim{
		ID: id, Oldest: t.Oldest, State: TrimProposed, Proposer: t.Proposer, Proposed: t.Proposed,
		NotBefore: t.NotBefore,
		Lapses:    t.Lapses, Approver: t.Approver, Approved: t.Approved, Until: t.Until, Begun: t.Begun, Done: t.Done,
	}
	switch {
	case !t.Done.IsZero():
		out.State = TrimDone
	case !t.Begun.IsZero():
		out.State = TrimBegun
	case key.Trim != id:
		out.State = TrimSuperseded
	case !now.Before(t.Lapses):
		out.State = TrimLapsed
	case now.Before(t.Until):
		out.State = TrimApproved
	}
	return out
}

// trimOf reads a trim of a tenant: ErrNotFound.
func trimOf(view journal.View, tenant string, id journal.ID) (Trim, keyRow, error) {
	key, err := keyOf(view, tenant)
	if err != nil {
		return Trim{}, key, err
	}
	row, ok, err := trims.Get(view, tenantKey(tenant, id[:]...))
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return Trim{}, key, err
	}
	return row.public(id, key, view.Now()), key, nil
}

// trimmable says that what is still kept can do without the versions before oldest: every sealed row is wrapped with a
// newer one, and a backup is on record in which that is so too.
func (k *keyRow) trimmable(oldest int) error {
	switch {
	case k.Rewrapped < oldest:
		return ErrNotRewrapped
	case k.Backup <= k.Complete:
		return ErrNoBackup
	}
	return nil
}

// ProposeTrim proposes to destroy the versions of the tenant's key before oldest (0: before the newest); access.TrimKey
// is needed. Everything must be wrapped with a newer version, and a verified backup must cover that. Another person has
// to approve, and the waiting period to end, before RunTrim carries it out. A proposal takes the place of one for fewer
// versions; the same again returns the one that is open.
//
// Errors: a *MetadataError for oldest; ErrNotRewrapped, ErrNoBackup, ErrTrimOpen; access.ErrUnreleased when it is on record,
// but not shipped in time; access.ErrDenied.
func (v *Vault) ProposeTrim(ctx context.Context, who access.Who, oldest int) (Trim, error) {
	id, err := journal.NewID(v.cfg.Clock.Now(), v.cfg.Rand)
	if err != nil {
		return Trim{}, fmt.Errorf("proposing a trim: %w", err)
	}
	trim, err := v.onTrim(ctx, who, access.TrimKey, func(view journal.View) (Trim, []journal.Event, error) {
		key, err := keyOf(view, who.Tenant)
		if err != nil {
			return Trim{}, nil, err
		}
		if oldest == 0 {
			oldest = key.Newest
		}
		if oldest <= key.Oldest || oldest > key.Newest {
			return Trim{}, nil, &MetadataError{Field: "oldest",
				Reason: "is not a version that can become the oldest: that is one after the " +
					"oldest there is, up to the newest. Where there is only one, rotate first: muniment key rotate"}
		}
		if !key.Trim.IsZero() {
			open, _, err := trimOf(view, who.Tenant, key.Trim)
			switch {
			case err != nil:
				return Trim{}, nil, err
			case open.State == TrimBegun, open.open() && open.Oldest > oldest:
				return Trim{}, nil, ErrTrimOpen
			case open.open() && open.Oldest == oldest:
				return open, nil, nil
			}
		}
		now := view.Now()
		data := KeyTrimProposedData{ID: id, Oldest: oldest, NotBefore: now.Add(v.cfg.TrimWait)}
		data.Lapses = data.NotBefore.Add(lapse)
		trim := Trim{
			ID: id, Oldest: oldest, State: TrimProposed, Proposer: who.Actor().ID, Proposed: now,
			NotBefore: data.NotBefore,
			Lapses:    data.Lapses,
		}
		return trim, []journal.Event{KeyTrimProposed.New(journal.ID{}, data)}, key.trimmable(oldest)
	})
	if err != nil {
		return Trim{}, fmt.Errorf("proposing a trim: %w", err)
	}
	return trim, nil
}

// open says whether a proposal waits for its approval or its time.
func (t *Trim) open() bool { return t.State == TrimProposed || t.State == TrimApproved }

// ApproveTrim approves a trim that somebody else has proposed; access.ApproveTrim is needed. The approval lapses after
// 90 days.
//
// Errors: ErrNotFound; ErrOwnRequest; ErrTrimOver; access.ErrUnreleased when it is on record, but not shipped in time;
// access.ErrDenied.
func (v *Vault) ApproveTrim(ctx context.Context, who access.Who, id journal.ID) (Trim, error) {
	trim, err := v.onTrim(ctx, who, access.ApproveTrim, func(view journal.View) (Trim, []journal.Event, error) {
		trim, _, err := trimOf(view, who.Tenant, id)
		switch {
		case err != nil:
			return Trim{}, nil, err
		case trim.Proposer == who.Actor().ID:
			return Trim{}, nil, ErrOwnRequest
		case trim.State == TrimSuperseded, trim.State == TrimLapsed:
			return Trim{}, nil, ErrTrimOver
		case trim.State != TrimProposed:
			return trim, nil, nil
		}
		trim.State, trim.Approver, trim.Approved = TrimApproved, who.Actor().ID, view.Now()
		trim.Until = trim.Approved.Add(lapse)
		return trim, []journal.Event{KeyTrimApproved.New(journal.ID{},
			KeyTrimApprovedData{ID: id, Lapses: trim.Until})}, nil
	})
	if err != nil {
		return Trim{}, fmt.Errorf("approving a trim: %w", err)
	}
	return trim, nil
}

// onTrim commits a step of a trim and waits until it is shipped: it will survive the loss of this machine. That holds
// for a step that was on record already, too: whoever repeats it may do so because it was not shipped in time. step
// returns the trim as it is then, and nothing to put on record when it is that already.
func (v *Vault) onTrim(
	ctx context.Context, who access.Who, a access.Action, step func(journal.View) (Trim, []journal.Event, error),
) (Trim, error) {
	trim, err := v.decideTrim(ctx, who, a, step)
	if err == nil {
		err = v.cfg.Door.Shipped(ctx)
	}
	return trim, err
}

// decideTrim commits a step of a trim, if there is anything to put on record.
func (v *Vault) decideTrim(
	ctx context.Context, who access.Who, a access.Action, step func(journal.View) (Trim, []journal.Event, error),
) (trim Trim, err error) {
	_, err = v.cfg.Door.Act(ctx, who, a, func(view journal.View) (journal.Change, error) {
		var events []journal.Event
		if trim, events, err = step(view); err != nil {
			return journal.Change{}, err
		}
		return journal.Change{Events: events}, nil
	})
	return trim, err
}
