package access

import "slices"

// Roles are all roles, in the order in which people are told of them.
func Roles() []Role {
	return []Role{Depositor, ReaderRole, RecordsOfficer, Approver, Auditor, KeyCustodian, Administrator}
}

// Acts are all acts that need permission.
func Acts() []Action {
	return []Action{
		Deposit, Describe, Read, History, Evidence, Disclose, Erase, ManageFile, ViewFile, Feed, AnchorNow, ViewAnchors,
		AttestStore, ManageUsers, ViewUsers, ApproveGrants, ViewKeys, RotateKey, RewrapKeys, ReshipKey, TrimKey,
		ApproveTrim, RecordBackup, ViewBackups, AcknowledgeTime,
	}
}

// Permits says whether the role permits an act, in the series that it was given for.
func (r Role) Permits(a Action) bool { return r.permits(a) }

// Exclusive are the pairs of roles that nobody may hold together.
func Exclusive() [][2]Role { return slices.Clone(conflicts) }
