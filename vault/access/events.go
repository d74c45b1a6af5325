package access

import (
	"time"

	"muniment/anchor/journal"
)

// The events of this package. None is about one document, but for a denial that is. Those about principals, keys,
// grants and the founding of a tenant form the chain that Authority reads.
const (
	TrialBegun       journal.Type[TrialBegunData]       = "tenant.trial_begun/1"
	FoundingBegun    journal.Type[FoundingBegunData]    = "tenant.founding_begun/1"
	FoundingStopped  journal.Type[FoundingStoppedData]  = "tenant.founding_stopped/1"
	TenantFounded    journal.Type[TenantFoundedData]    = "tenant.founded/1"
	PrincipalCreated journal.Type[PrincipalCreatedData] = "principal.created/1"
	PrincipalNamed   journal.Type[PrincipalNamedData]   = "principal.named/1"
	CodeIssued       journal.Type[CodeIssuedData]       = "principal.code_issued/1"
	KeyAdded         journal.Type[KeyAddedData]         = "principal.key_added/1"
	KeyRevoked       journal.Type[KeyRevokedData]       = "principal.key_revoked/1"
	GrantsGiven      journal.Type[GrantsGivenData]      = "grants.given/1"
	GrantsProposed   journal.Type[GrantsProposedData]   = "grants.proposed/1"
	GrantsApproved   journal.Type[GrantsApprovedData]   = "grants.approved/1"
	GrantsDeclined   journal.Type[GrantsDeclinedData]   = "grants.declined/1"
	GrantsRevoked    journal.Type[GrantsRevokedData]    = "grants.revoked/1"
	Denied           journal.Type[DeniedData]           = "access.denied/1"
	Contradicted     journal.Type[ContradictedData]     = "access.contradicted/1"
	Consulted        journal.Type[ConsultedData]        = "journal.consulted/1"
)

// How a principal came to be.
const (
	OriginBootstrap = "bootstrap" // the one that a tenant on trial begins with
	OriginFounding  = "founding"  // one of the two whom a founding, or a recovery, makes administrator and approver
	OriginCreated   = "created"
)

// TrialBegunData says that the tenant of the body is on trial: one person is enough to grant, and what takes two people
// cannot be done.
type TrialBegunData struct{}

// FoundingBegunData says that the tenant is founded by two people, as soon as both have claimed their keys.
type FoundingBegunData struct {
	Administrator journal.ID `json:"administrator"`
	Approver      journal.ID `json:"approver"`
	// NotBefore is when a recovery can end at the earliest: two people are put in the place of those who are lost, on
	// the word of the operator alone. It is settled time. Nil for the founding of a tenant, which needs no wait.
	NotBefore *time.Time `json:"not_before,omitempty"`
	// Lapses is when the codes of a recovery lapse, in settled time; nil for the founding of a tenant.
	Lapses *time.Time `json:"lapses,omitempty"`
}

// FoundingStoppedData says that the founding, or the recovery, that is under way does not go on.
type FoundingStoppedData struct{}

// TenantFoundedData says that both founders have claimed their keys, which are in force from now on. The end of a
// founding revokes every other API key of the tenant; that of a recovery revokes none.
type TenantFoundedData struct {
	Administrator journal.ID `json:"administrator"`
	Approver      journal.ID `json:"approver"`
}

// PrincipalCreatedData says that a principal exists from now on, with these roles.
type PrincipalCreatedData struct {
	Principal journal.ID `json:"principal"`
	Origin    string     `json:"origin"` // OriginBootstrap, OriginFounding or OriginCreated
	Grants    []Grant    `json:"grants"`
}

// PrincipalNamedData says that the principal is called from now on what the sealed row says.
type PrincipalNamedData struct {
	Principal journal.ID `json:"principal"`
	Name      journal.ID `json:"name"` // of the sealed row: NameRow
	// Former is the row with the name that it had before, which is erased; nil for none.
	Former *journal.ID `json:"former,omitempty"`
}

// CodeIssuedData says that a key for the principal can be claimed, once, with the one-time code that has this SHA-256
// digest. It takes the place of an earlier code.
type CodeIssuedData struct {
	Principal journal.ID `json:"principal"`
	Digest    []byte     `json:"digest"` // SHA-256 of a code of 160 random bits: it cannot be guessed
	Lapses    time.Time  `json:"lapses"`
}

// KeyAddedData says that there is an API key with this SHA-256 digest for the principal. It speaks for the principal at
// once in a tenant on trial; else from the approval, or the founding, that covers it.
type KeyAddedData struct {
	Principal journal.ID `json:"principal"`
	Digest    []byte     `json:"digest"`            // SHA-256 of a key of 256 random bits: it cannot be guessed
	Claimed   bool       `json:"claimed,omitempty"` // with the principal's code, which is spent
}

// KeyRevokedData says that an API key speaks for nobody any more.
type KeyRevokedData struct {
	Principal journal.ID `json:"principal"`
	Digest    []byte     `json:"digest"`
}

// GrantsGivenData says that the principal has these grants, too, in a tenant on trial.
type GrantsGivenData struct {
	Principal journal.ID `json:"principal"`
	Grants    []Grant    `json:"grants"`
}

// GrantsProposedData says that the actor proposes that the principal has these grants, too, and that all keys which it
// has when somebody approves speak for it. It takes the place of an earlier proposal for the principal.
type GrantsProposedData struct {
	ID        journal.ID `json:"id"`
	Principal journal.ID `json:"principal"`
	Grants    []Grant    `json:"grants"`
	Lapses    time.Time  `json:"lapses"` // settled time
}

// GrantsApprovedData says that the actor approves what stands here whole: from now on the principal has these grants,
// and these keys speak for it.
type GrantsApprovedData struct {
	ID        journal.ID `json:"id"` // of the proposal
	Principal journal.ID `json:"principal"`
	Grants    []Grant    `json:"grants"`
	Keys      [][]byte   `json:"keys"`   // their SHA-256 digests
	Digest    []byte     `json:"digest"` // Standing.Digest of what the approver has seen
}

// GrantsDeclinedData says that a proposal is not open any more: its proposer or an approver has said no.
type GrantsDeclinedData struct {
	ID        journal.ID `json:"id"`
	Principal journal.ID `json:"principal"`
}

// GrantsRevokedData says that the principal has these grants no more.
type GrantsRevokedData struct {
	Principal journal.ID `json:"principal"`
	Grants    []Grant    `json:"grants"`
}

// DeniedData says what the actor asked for and may not do. The document, if it is about one, stands in the body.
type DeniedData struct {
	Action Action `json:"action"`
	Series string `json:"series,omitempty"`
	// More is how many further refusals of the action one event stands for, of one minute in which many had an event of
	// their own already; 0 in an event that stands for itself.
	More int `json:"more,omitempty"`
}

// ContradictedData says that a row which nobody but this program writes is not what the events say: somebody else has
// written to the database. It granted nothing.
type ContradictedData struct {
	Table string `json:"table"`
	Row   string `json:"row"` // its key, in hexadecimal digits
}

// ConsultedData says that the actor was given bodies of the tenant's events, or told of its principals, within this
// hour. It is quiet.
type ConsultedData struct {
	What string `json:"what"` // ConsultedFeed, ConsultedHistory or ConsultedPrincipals
}

// The values of ConsultedData.What.
const (
	ConsultedFeed       = "feed"
	ConsultedHistory    = "history"
	ConsultedPrincipals = "principals"
)
