package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/seal"
)

// keyRow is a row of the table of the tenants' keys, under the tenant's name: what is on record about the key's
// versions, which count from 1. A tenant whose key was never rotated has none.
type keyRow struct {
	Newest  int       `json:"newest"`
	Rotated time.Time `json:"rotated,omitzero"`
	// Floor is the oldest version that a sealed row may be written with. It rises when a rewrap begins, before the
	// first row is looked at: so what the rewrap has passed cannot become older again.
	Floor int `json:"floor"`
	// Rewrapped is a version than which no sealed row is older: a rewrap has been through all of them. Complete is the
	// index of the event that says so.
	Rewrapped int    `json:"rewrapped"`
	Complete  uint64 `json:"complete,omitempty"`
	// Backup is the size of the longest backup that was verified, in entries.
	Backup uint64 `json:"backup,omitempty"`
	// Oldest is the oldest version that has not been trimmed.
	Oldest int `json:"oldest"`
	// Trim is the newest proposal to trim; the zero ID when there was none.
	Trim journal.ID `json:"trim,omitzero"`
}

// keyStates is the projection of the tenants' keys.
var keyStates = journal.NewRows[keyRow]("keys")

// keyOf reads what is on record about a tenant's key.
func keyOf(r journal.Reader, tenant string) (keyRow, error) {
	row, ok, err := keyStates.Get(r, []byte(tenant))
	if err == nil && !ok {
		row = keyRow{Newest: 1, Floor: 1, Rewrapped: 1, Oldest: 1}
	}
	return row, err
}

// changeKey rewrites what is on record about the key of an event's tenant.
func changeKey(w *journal.Writer, e journal.Entry, change func(*keyRow)) error {
	row, err := keyOf(w, e.Tenant)
	if err != nil {
		return err
	}
	change(&row)
	return keyStates.Put(w, []byte(e.Tenant), row)
}

// errStale says that a sealed row was wrapped with a version of the key that a rewrap is about to leave behind. It
// wraps keys.ErrUnavailable: sealing it again helps.
var errStale = fmt.Errorf("the tenant's key was rotated while a row was being sealed: %w", keys.ErrUnavailable)

// current says that the rows to be written are wrapped with a version of the tenant's key that may still be used:
// errStale if not. It stands in every decide that writes sealed rows: without it a row that was wrapped before a
// rewrap, and comes after it, would be lost when the old versions are trimmed.
func current(r journal.Reader, tenant string, rows ...journal.Row) error {
	key, err := keyOf(r, tenant)
	if err != nil || key.Floor <= 1 {
		return err
	}
	for _, row := range rows {
		if row.Value == nil {
			continue
		}
		version, err := versionOf(row.Value)
		if err != nil {
			return err
		}
		if version < key.Floor {
			return errStale
		}
	}
	return nil
}

// commitRow commits a change of who that writes a row, which decide puts into it, whether or not the key was rotated
// since the row was sealed: an upload can take longer than a rewrap.
func (v *Vault) commitRow(
	ctx context.Context, who access.Who, row *journal.Row,
	decide func(journal.View, *access.Guard) (journal.Change, error),
) (journal.Receipt, error) {
	checked := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		change, err := decide(view, guard)
		if err == nil && len(change.Sealed) > 0 {
			err = current(view, who.Tenant, change.Sealed...)
		}
		return change, err
	}
	receipt, err := v.cfg.Door.Commit(ctx, who, checked)
	if !errors.Is(err, errStale) {
		return receipt, err
	}
	wrapped, err := seal.Wrapped(row.Value)
	if err != nil {
		return journal.Receipt{}, err
	}
	again, err := v.cfg.Keys.Rewrap(ctx, who.Tenant, []string{wrapped})
	if err == nil && len(again) != 1 {
		err = fmt.Errorf("the key service rewrapped %d of 1", len(again))
	}
	if err == nil {
		err = again[0].Err
	}
	if err != nil {
		return journal.Receipt{}, fmt.Errorf("wrapping a row's keys with the newest version: %w", err)
	}
	if row.Value, err = seal.Rewrap(row.Value, again[0].Wrapped); err != nil {
		return journal.Receipt{}, err
	}
	return v.cfg.Door.Commit(ctx, who, checked)
}

// versionOf is the version of its tenant's key that a sealed row is wrapped with.
func versionOf(value []byte) (int, error) {
	wrapped, err := seal.Wrapped(value)
	if err != nil {
		return 0, err
	}
	return keys.VersionOf(wrapped)
}

// The events of a key's life (NIST SP 800-57 part 1, section 8.3). They are about the tenant of the body, and no
// document.
const (
	KeyRotated         journal.Type[KeyRotatedData]         = "key.rotated/1"
	KeyRewrapBegun     journal.Type[KeyRewrapBegunData]     = "key.rewrap_begun/1"
	KeysRewrapped      journal.Type[KeysRewrappedData]      = "keys.rewrapped/1"
	KeyRewrapCompleted journal.Type[KeyRewrapCompletedData] = "key.rewrap_completed/1"
	KeyTrimProposed    journal.Type[KeyTrimProposedData]    = "key.trim_proposed/1"
	KeyTrimApproved    journal.Type[KeyTrimApprovedData]    = "key.trim_approved/1"
	KeyTrimBegun       journal.Type[KeyTrimBegunData]       = "key.trim_begun/1"
	KeyTrimmed         journal.Type[KeyTrimmedData]         = "key.trimmed/1"
	ErasedInBackups    journal.Type[ErasedInBackupsData]    = "documents.erased_in_backups/1"
)

// KeyRotatedData says that the tenant's key has a newer version, which everything is wrapped with from now on.
type KeyRotatedData struct {
	Version int `json:"version"`
}

// KeyRewrapBegunData says that every sealed row is to be wrapped with Version or a newer one, and that none is written
// with an older one from now on.
type KeyRewrapBegunData struct {
	Version int `json:"version"`
}

// KeysRewrappedData says that the wrapped keys of some sealed rows were replaced. It is quiet.
type KeysRewrappedData struct {
	Version int `json:"version"` // the one that the rewrap leads to
	Count   int `json:"count"`   // rows
}

// KeyRewrapCompletedData says that a rewrap has been through all sealed rows of the tenant, and none is wrapped with a
// version older than Version.
type KeyRewrapCompletedData struct {
	Version int   `json:"version"`
	Count   int64 `json:"count"` // rows that this run has rewrapped
}

// KeyTrimProposedData says that the actor proposes to destroy the versions before Oldest.
type KeyTrimProposedData struct {
	ID     journal.ID `json:"id"`
	Oldest int        `json:"oldest"`
	// NotBefore is when the waiting period ends; Lapses, when the proposal does.
	NotBefore time.Time `json:"not_before"`
	Lapses    time.Time `json:"lapses"`
}

// KeyTrimApprovedData says that the actor, who is not the proposer, approves.
type KeyTrimApprovedData struct {
	ID     journal.ID `json:"id"`
	Lapses time.Time  `json:"lapses"` // when the approval does
}

// KeyTrimBegunData says that every condition is met, and that the versions are about to be destroyed.
type KeyTrimBegunData struct {
	ID journal.ID `json:"id"`
}

// KeyTrimmedData says that the key service has no version before Oldest any more.
type KeyTrimmedData struct {
	ID     journal.ID `json:"id"`
	Oldest int        `json:"oldest"`
}

// ErasedInBackupsData says that every document which had been erased while its row was wrapped with a version before
// Before cannot be opened from any backup any more.
type ErasedInBackupsData struct {
	ID     journal.ID `json:"id"`     // of the trim
	Before int        `json:"before"` // a version
	Count  uint64     `json:"count"`  // documents, since the trim before
}

// keyDefinitions are the events of a key's life, with their reducers.
func keyDefinitions() []journal.Definition {
	return []journal.Definition{
		KeyRotated.On(func(w *journal.Writer, e journal.Entry, d KeyRotatedData) error {
			return changeKey(w, e, func(key *keyRow) { key.Newest, key.Rotated = d.Version, e.At })
		}),
		KeyRewrapBegun.On(func(w *journal.Writer, e journal.Entry, d KeyRewrapBegunData) error {
			return changeKey(w, e, func(key *keyRow) { key.Floor = d.Version })
		}),
		KeysRewrapped.On(nothing[KeysRewrappedData]).Quiet(),
		KeyRewrapCompleted.On(func(w *journal.Writer, e journal.Entry, d KeyRewrapCompletedData) error {
			return changeKey(w, e, func(key *keyRow) { key.Rewrapped, key.Complete = d.Version, e.Index })
		}),
		KeyTrimProposed.On(reduceTrimProposed),
		KeyTrimApproved.On(reduceTrimApproved),
		KeyTrimBegun.On(reduceTrimBegun),
		KeyTrimmed.On(reduceTrimmed),
		ErasedInBackups.On(reduceErasedInBackups),
	}
}

// tenantKey is a row's key under a tenant, so that a tenant's rows lie together.
func tenantKey(tenant string, rest ...byte) []byte { return append(join(tenant), rest...) }

// versionKey is a version under a tenant, in the order of versions.
func versionKey(tenant string, version int) []byte {
	return binary.BigEndian.AppendUint32(tenantKey(tenant), uint32(version))
}
