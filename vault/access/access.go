// Package access says who may do what, and is the door: every act is authorized, refused or recorded through a Door.
package access

import (
	"errors"

	"muniment/anchor/journal"
)

// ErrDenied says that the principal may not do what it asked for.
var ErrDenied = errors.New("access denied")

// Role is a set of permitted acts (36 CFR 1236, separation of duties).
type Role string

// The roles. Nobody gets content through administrator; each other right needs its own role.
const (
	Depositor      Role = "depositor"
	ReaderRole     Role = "reader"
	RecordsOfficer Role = "records_officer"
	Approver       Role = "approver"
	Auditor        Role = "auditor"
	KeyCustodian   Role = "key_custodian"
	Administrator  Role = "administrator"
)

// Action is an act that needs permission.
type Action string

// The acts.
const (
	Deposit     Action = "document.deposit"
	Describe    Action = "document.describe"
	Read        Action = "document.read"
	History     Action = "document.history"
	Evidence    Action = "document.evidence"
	Disclose    Action = "document.disclose"
	Feed        Action = "journal.feed"
	AnchorNow   Action = "anchor.now"
	ViewAnchors Action = "anchor.view"
	ManageFile  Action = "fileplan.manage"
	ManageUsers Action = "principal.manage"
	ViewUsers   Action = "principal.view"
	ViewFile    Action = "fileplan.view"
	AttestStore Action = "storage.attest"
	Erase       Action = "document.erase"

	ApproveGrants Action = "grant.approve"

	ViewKeys     Action = "key.view"
	RotateKey    Action = "key.rotate"
	RewrapKeys   Action = "key.rewrap"
	TrimKey      Action = "key.trim"
	ReshipKey    Action = "key.reship"
	ApproveTrim  Action = "key.trim_approve"
	RecordBackup Action = "backup.record"
	ViewBackups  Action = "backup.view"

	// AcknowledgeTime is to say that a time which only the clock has measured did pass (journal.SettledTime).
	AcknowledgeTime Action = "time.acknowledge"
)

// Who is an authenticated principal, as authn made it.
type Who struct {
	Tenant    string
	Principal journal.ID
}

// Actor is how the journal names it.
func (w Who) Actor() journal.Actor { return journal.Actor{Tenant: w.Tenant, ID: w.Principal.String()} }

// Scope is what an act is about: the tenant of Who, and one series, if any.
type Scope struct {
	Series string
}
