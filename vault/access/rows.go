package access

import (
	"time"

	"muniment/anchor/journal"
)

// principal is a row of the table of principals, under the principal's id.
type principal struct {
	Tenant  string     `json:"tenant"`
	Origin  string     `json:"origin"`
	Created time.Time  `json:"created"`
	Name    journal.ID `json:"name,omitzero"` // of the sealed row with its display name
	Grants  []Grant    `json:"grants"`
	Keys    int        `json:"keys,omitempty"`    // how many API keys speak for it
	Revoked bool       `json:"revoked,omitempty"` // keys spoke for it, and the last of them was revoked
	// Approved is the proposal whose approval its grants and keys rest on; zero before any.
	Approved journal.ID `json:"approved,omitzero"`
	Code     *code      `json:"code,omitempty"`     // by which a key can be claimed
	Proposed *proposal  `json:"proposed,omitempty"` // the newest proposal, while it is neither approved nor declined
}

// code is a one-time code.
type code struct {
	Digest []byte    `json:"digest"`
	Lapses time.Time `json:"lapses"`
}

// proposal is that of further grants, and of all keys that the principal has when somebody approves.
type proposal struct {
	ID       journal.ID `json:"id"`
	Proposer string     `json:"proposer"`
	Proposed time.Time  `json:"proposed"`
	Lapses   time.Time  `json:"lapses"`
	Grants   []Grant    `json:"grants"`
}

// apiKey is a row of the table of keys, under the first half of the key's digest.
type apiKey struct {
	Digest    []byte     `json:"digest"`
	Principal journal.ID `json:"principal"`
	Added     time.Time  `json:"added"`
	// Speaks says that it speaks for the principal: in a tenant that was founded, an approval covers it.
	Speaks bool `json:"speaks,omitempty"`
}

// tenancy is a row of the table of tenancies, under the tenant's name: who has founded it.
type tenancy struct {
	Trial    bool      `json:"trial,omitempty"`
	Founded  time.Time `json:"founded,omitzero"`
	Founding *founding `json:"founding,omitempty"` // the one that is under way
}

// founding is one that is under way.
type founding struct {
	Administrator journal.ID `json:"administrator"`
	Approver      journal.ID `json:"approver"`
	// Of a recovery: when its waiting period ends, if nothing else counts, and its codes lapse then, when it began, all
	// in settled time, and the index of its event.
	NotBefore time.Time `json:"not_before,omitzero"`
	Lapses    time.Time `json:"lapses,omitzero"`
	From      time.Time `json:"from,omitzero"`
	Index     uint64    `json:"index,omitempty"`
}

// has says whether a principal is one of the two founders.
func (f *founding) has(id journal.ID) bool {
	return f != nil && (f.Administrator == id || f.Approver == id)
}

// The package's projections. They are values without state.
var (
	principals = journal.NewRows[principal]("principals")
	apiKeys    = journal.NewRows[apiKey]("api_keys")
	tenancies  = journal.NewRows[tenancy]("tenancies")
)

// The tables that the events about principals and keys are copied to.
var (
	principalTable = journal.Table{Kind: journal.Projection, Name: "principals"}
	keyTable       = journal.Table{Kind: journal.Projection, Name: "api_keys"}
	tenancyTable   = journal.Table{Kind: journal.Projection, Name: "tenancies"}
)

// SealedName is the first byte of the key of a sealed row with a display name.
const SealedName = 'p'

// NameRow is the key of the sealed row with a display name.
func NameRow(name journal.ID) []byte { return append([]byte{SealedName}, name[:]...) }
