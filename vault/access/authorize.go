package access

import "slices"

// Grant gives a role for the whole tenant or, when Series is set, for that series only.
type Grant struct {
	Role   Role   `json:"role"`
	Series string `json:"series,omitempty"`
}

// permits says which acts a role permits.
func (r Role) permits(a Action) bool {
	switch r {
	case Depositor:
		return slices.Contains([]Action{Deposit, ViewFile}, a)
	case ReaderRole:
		return slices.Contains([]Action{Describe, Read, History, Evidence, Disclose, ViewAnchors, ViewFile}, a)
	case RecordsOfficer:
		return slices.Contains([]Action{
			Describe, History, Evidence, Disclose, Erase, ManageFile, ViewFile, AttestStore, AnchorNow, ViewAnchors,
		}, a)
	case Approver:
		return slices.Contains([]Action{Describe, History, ViewFile, ViewKeys, ApproveTrim, ViewBackups}, a)
	case Auditor:
		return slices.Contains([]Action{
			Describe, History, Evidence, Disclose, Feed, AnchorNow, ViewAnchors, ViewFile, ViewKeys, ViewBackups,
		}, a)
	case KeyCustodian:
		return slices.Contains([]Action{
			ViewKeys, RotateKey, RewrapKeys, TrimKey, ReshipKey, ApproveTrim, RecordBackup, ViewBackups,
			ViewAnchors,
		}, a)
	case Administrator:
		return slices.Contains([]Action{ManageUsers, AttestStore, ViewKeys, RecordBackup, ViewBackups, AnchorNow,
			ViewAnchors}, a)
	}
	return false
}

// Known says whether there is such a role.
func (r Role) Known() bool {
	switch r {
	case Depositor, ReaderRole, RecordsOfficer, Approver, Auditor, KeyCustodian, Administrator:
		return true
	}
	return false
}

// Permission says in which series a principal may do one act.
type Permission struct {
	All    bool     // in the whole tenant
	Series []string // else in these
}

// None says that the act is permitted nowhere.
func (p Permission) None() bool { return !p.All && len(p.Series) == 0 }

// Covers says whether the act is permitted within s.
func (p Permission) Covers(s Scope) bool {
	return p.All || s.Series != "" && slices.Contains(p.Series, s.Series)
}
