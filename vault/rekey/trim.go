package rekey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/invalid"
)

const (
	// DefaultTrimWait is how long a trim waits after it was proposed, unless Config.TrimWait says otherwise.
	DefaultTrimWait = 30 * 24 * time.Hour
	// lapse is how long an approval holds, and how long a proposal stays open after its waiting period.
	lapse = 90 * 24 * time.Hour
)

// Trim is a proposal to destroy the versions of a tenant's key before Oldest, and what has become of it. NotBefore,
// Lapses and Until are settled times (journal.SettledTime); NotBefore is where the waiting period ends by all that has
// become of the clock, later or sooner than when it was proposed.
type Trim struct {
	ID     journal.ID
	Oldest int
	State  approval.State
	approval.Proposal
}

// trimRow is a row of the table of trims, under tenant, 0, id.
type trimRow struct {
	Oldest int `json:"oldest"`
	approval.Proposal
	From time.Time `json:"from"` // settled time of the proposal

	// Index is that of the proposal's event; the others are those of the events that followed, 0 for none. Report is
	// the documents.erased_in_backups event.
	Index     uint64 `json:"index"`
	Approval  uint64 `json:"approval,omitempty"`
	Beginning uint64 `json:"beginning,omitempty"`
	End       uint64 `json:"end,omitempty"`
	Report    uint64 `json:"report,omitempty"`
}

// trimTable is where trims keeps its rows.
var trimTable = journal.Table{Kind: journal.Projection, Name: "trims"}

var trims = journal.NewRows[trimRow](trimTable.Name)

// The methods below are what the events of a trim make of its row, in the reducers and in its proof.

func (row *trimRow) propose(e journal.Entry, d KeyTrimProposedData) {
	row.Oldest, row.From, row.Index = d.Oldest, e.Settled, e.Index
	row.Proposal = approval.Proposal{Proposer: e.Actor, Proposed: e.At, NotBefore: d.NotBefore, Lapses: d.Lapses}
}

func (row *trimRow) approve(e journal.Entry, d KeyTrimApprovedData) {
	row.Approver, row.Approved, row.Until, row.Approval = e.Actor, e.At, d.Lapses, e.Index
}

func (row *trimRow) begin(e journal.Entry, _ KeyTrimBegunData) {
	row.Begun, row.Beginning = e.At, e.Index
}

func (row *trimRow) end(e journal.Entry, _ KeyTrimmedData) { row.Done, row.End = e.At, e.Index }

func (row *trimRow) report(e journal.Entry, _ ErasedInBackupsData) { row.Report = e.Index }

func reduceTrimProposed(w *journal.Writer, e journal.Entry, d KeyTrimProposedData) error {
	if err := supersede(w, e); err != nil {
		return err
	}
	var row trimRow
	row.propose(e, d)
	if err := trims.Put(w, tenantKey(e.Tenant, d.ID[:]...), row); err != nil {
		return err
	}
	if err := w.Wait("trim", d.NotBefore, d.Lapses); err != nil {
		return err
	}
	return changeKey(w, e, func(key *keyRow) { key.Trim = d.ID })
}

// supersede ends the wait of the proposal whose place another takes.
func supersede(w *journal.Writer, e journal.Entry) error {
	key, err := keyOf(w, e.Tenant)
	if err != nil || key.Trim.IsZero() {
		return err
	}
	old, ok, err := trims.Get(w, tenantKey(e.Tenant, key.Trim[:]...))
	if err != nil || !ok {
		return err
	}
	return w.Waited(old.Index, old.NotBefore)
}

func reduceTrimApproved(w *journal.Writer, e journal.Entry, d KeyTrimApprovedData) error {
	return changeTrim(w, e, d.ID, func(row *trimRow) { row.approve(e, d) })
}

func reduceTrimBegun(w *journal.Writer, e journal.Entry, d KeyTrimBegunData) error {
	return changeTrim(w, e, d.ID, func(row *trimRow) { row.begin(e, d) })
}

func reduceTrimmed(w *journal.Writer, e journal.Entry, d KeyTrimmedData) error {
	if err := changeTrim(w, e, d.ID, func(row *trimRow) { row.end(e, d) }); err != nil {
		return err
	}
	return changeKey(w, e, func(key *keyRow) {
		key.Oldest, key.Refused = max(key.Oldest, d.Oldest), time.Time{}
	})
}

func reduceErasedInBackups(w *journal.Writer, e journal.Entry, d ErasedInBackupsData) error {
	return changeTrim(w, e, d.ID, func(row *trimRow) { row.report(e, d) })
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

// prove holds a trim's row against the events that it names: access.ErrForged.
func (k *Keys) prove(r journal.Reader, tenant string, row trimRow, id journal.ID) error {
	return approval.Prove(k.cfg.Journal, k.cfg.Door.Authority(), r,
		approval.Row[trimRow]{Table: trimTable, Key: tenantKey(tenant, id[:]...), Tenant: tenant, ID: id, Value: row},
		approval.On(KeyTrimProposed, row.Index, (*trimRow).propose),
		approval.On(KeyTrimApproved, row.Approval, (*trimRow).approve),
		approval.On(KeyTrimBegun, row.Beginning, (*trimRow).begin),
		approval.On(KeyTrimmed, row.End, (*trimRow).end),
		approval.On(ErasedInBackups, row.Report, (*trimRow).report))
}

// public proves a trim, and describes it as it is at a settled time, and as its proposer and approver stand.
func (k *Keys) public(r journal.Reader, tenant string, row trimRow, id journal.ID, key keyRow,
	settled time.Time) (Trim, error) {
	if err := k.prove(r, tenant, row, id); err != nil {
		return Trim{}, err
	}
	out := Trim{ID: id, Oldest: row.Oldest, State: row.State(settled, key.Trim != id), Proposal: row.Proposal}
	var err error
	if out.NotBefore, err = journal.WaitEnds(r, row.From, row.NotBefore); err != nil {
		return out, err
	}
	out.State, err = approval.Standing(r, k.cfg.Door.Authority(), tenant, row.Proposal, out.State, access.TrimKey,
		access.ApproveTrim)
	return out, err
}

// trimOf reads a trim of a tenant: ErrNoTrim; access.ErrForged.
func (k *Keys) trimOf(view journal.View, tenant string, id journal.ID) (Trim, keyRow, error) {
	key, err := keyOf(view, tenant)
	if err != nil {
		return Trim{}, key, err
	}
	row, ok, err := trims.Get(view, tenantKey(tenant, id[:]...))
	if err == nil && !ok {
		err = ErrNoTrim
	}
	if err != nil {
		return Trim{}, key, err
	}
	trim, err := k.public(view, tenant, row, id, key, view.Settled())
	return trim, key, err
}

// ProposeTrim proposes to destroy the versions of the tenant's key before oldest (0: before the newest); access.TrimKey
// is needed. Everything must be wrapped with a newer version, and a verified backup must cover that. Another person has
// to approve, and the waiting period to end, before RunTrim carries it out. A proposal takes the place of one for fewer
// versions; the same again returns the one that is open.
//
// Errors: a *invalid.Field for oldest; ErrNotRewrapped, ErrNoBackup, approval.ErrOpen; access.ErrUnreleased, together
// with the trim, when no locked checkpoint covers the proposal in time; access.ErrDenied.
func (k *Keys) ProposeTrim(ctx context.Context, who access.Who, oldest int) (Trim, error) {
	id, err := journal.NewID(k.cfg.Clock.Now(), k.cfg.Rand)
	if err != nil {
		return Trim{}, fmt.Errorf("proposing a trim: %w", err)
	}
	terms := approval.Terms{Wait: k.cfg.TrimWait, Lapse: lapse}
	step := func(view journal.View) (Trim, []journal.Event, error) {
		key, err := keyOf(view, who.Tenant)
		if err != nil {
			return Trim{}, nil, err
		}
		oldest := oldest // this may run twice, and the key be rotated in between
		if oldest == 0 {
			oldest = key.Newest
		}
		if oldest <= key.Oldest || oldest > key.Newest {
			return Trim{}, nil, &invalid.Field{Name: "oldest",
				Reason: "is not a version that can become the oldest: that is one after the " +
					"oldest there is, up to the newest. Where there is only one, rotate first: muniment key rotate"}
		}
		if !key.Trim.IsZero() {
			open, _, err := k.trimOf(view, who.Tenant, key.Trim)
			switch {
			case err != nil:
				return Trim{}, nil, err
			case open.State == approval.Begun, open.State.Open() && open.Oldest > oldest:
				return Trim{}, nil, approval.ErrOpen
			case open.State.Open() && open.Oldest == oldest:
				return open, nil, nil
			}
		}
		proposal := terms.Propose(who.Actor().ID, view.Settled())
		proposal.Proposed = view.Now()
		trim := Trim{ID: id, Oldest: oldest, State: approval.Proposed, Proposal: proposal}
		data := KeyTrimProposedData{
			ID: id, Oldest: oldest, NotBefore: proposal.NotBefore, Lapses: proposal.Lapses,
		}
		return trim, []journal.Event{KeyTrimProposed.New(journal.ID{}, data)},
			k.trimmable(view, who.Tenant, key, oldest)
	}
	trim, err := approval.Commit(ctx, k.cfg.Door, who, access.TrimKey, step)
	if err != nil {
		return trim, fmt.Errorf("proposing a trim: %w", err)
	}
	return trim, nil
}

// ApproveTrim approves a trim that somebody else has proposed; access.ApproveTrim is needed. The approval lapses after
// 90 days.
//
// Errors: ErrNoTrim; approval.ErrOwnRequest; approval.ErrOver; access.ErrUnreleased, together with the trim, when no
// locked checkpoint covers the approval in time; access.ErrDenied.
func (k *Keys) ApproveTrim(ctx context.Context, who access.Who, id journal.ID) (Trim, error) {
	terms := approval.Terms{Wait: k.cfg.TrimWait, Lapse: lapse}
	step := func(view journal.View) (Trim, []journal.Event, error) {
		trim, _, err := k.trimOf(view, who.Tenant, id)
		if err != nil {
			return Trim{}, nil, err
		}
		was := trim.Proposal
		trim.Proposal, err = terms.Approve(was, trim.State, who.Actor().ID, view.Settled())
		if err != nil || trim.Proposal == was {
			return trim, nil, err
		}
		trim.State, trim.Approved = approval.Approved, view.Now()
		data := KeyTrimApprovedData{ID: id, Lapses: trim.Until}
		return trim, []journal.Event{KeyTrimApproved.New(journal.ID{}, data)}, nil
	}
	trim, err := approval.Commit(ctx, k.cfg.Door, who, access.ApproveTrim, step)
	if err != nil {
		return trim, fmt.Errorf("approving a trim: %w", err)
	}
	return trim, nil
}

// ReportOf is the index of the event that says of all documents which were erased under a version of the tenant's key
// that they are so in every backup; 0 while there is none.
func ReportOf(r journal.Reader, tenant string, version int) (report uint64, err error) {
	err = trims.Scan(r, journal.Prefix(tenantKey(tenant)), func(_ []byte, trim trimRow) error {
		if trim.Report != 0 && trim.Oldest > version {
			report = trim.Report
			return journal.Stop
		}
		return nil
	})
	return report, err
}
