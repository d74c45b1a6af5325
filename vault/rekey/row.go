package rekey

import (
	"time"

	"muniment/anchor/journal"
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
	// Backup is the size of the longest backup that was verified, in entries. BackedUp is the index of the event that
	// says so.
	Backup   uint64 `json:"backup,omitempty"`
	BackedUp uint64 `json:"backed_up,omitempty"`
	// Oldest is the oldest version that has not been trimmed.
	Oldest int `json:"oldest"`
	// Trim is the newest proposal to trim; the zero ID when there was none.
	Trim journal.ID `json:"trim,omitzero"`
	// Refused is when a trim was refused last because a row of the tenant's did not open with the key that was to be
	// trimmed; zero if none was, or one has been carried out since.
	Refused time.Time `json:"refused,omitzero"`
}

// keyTable is where keyStates keeps its rows.
var keyTable = journal.Table{Kind: journal.Projection, Name: "keys"}

// keyStates is the projection of the tenants' keys.
var keyStates = journal.NewRows[keyRow](keyTable.Name)

// keyOf reads what is on record about a tenant's key.
func keyOf(r journal.Reader, tenant string) (keyRow, error) {
	row, ok, err := keyStates.Get(r, []byte(tenant))
	if err == nil && !ok {
		row = keyRow{Newest: 1, Floor: 1, Rewrapped: 1, Oldest: 1}
	}
	return row, err
}

// Versions are the versions of a tenant's key that are on record.
type Versions struct {
	Newest int
	Oldest int // that has not been trimmed
}

// VersionsOf reads which versions of a tenant's key are on record.
func VersionsOf(r journal.Reader, tenant string) (Versions, error) {
	row, err := keyOf(r, tenant)
	return Versions{Newest: row.Newest, Oldest: row.Oldest}, err
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

// VersionOf is the version of its tenant's key that a sealed row is wrapped with.
func VersionOf(value []byte) (int, error) {
	wrapped, err := seal.Wrapped(value)
	if err != nil {
		return 0, err
	}
	return keys.VersionOf(wrapped)
}

// tenantKey is a row's key under a tenant, so that a tenant's rows lie together.
func tenantKey(tenant string, rest ...byte) []byte { return append(append([]byte(tenant), 0), rest...) }
