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
			ViewUsers,
		}, a)
	case Approver:
		return slices.Contains([]Action{
			Describe, History, ViewFile, ViewKeys, ApproveTrim, ApproveGrants, ViewUsers, ViewBackups, AcknowledgeTime,
		}, a)
	case Auditor:
		return slices.Contains([]Action{
			Describe, History, Evidence, Disclose, Feed, AnchorNow, ViewAnchors, ViewFile, ViewKeys, ViewBackups,
			ViewUsers,
		}, a)
	case KeyCustodian:
		return slices.Contains([]Action{
			ViewKeys, RotateKey, RewrapKeys, TrimKey, ReshipKey, RecordBackup, ViewBackups, ViewAnchors,
		}, a)
	case Administrator:
		return slices.Contains([]Action{
			ManageUsers, ViewUsers, AttestStore, ViewKeys, RecordBackup, ViewBackups, AnchorNow, ViewAnchors,
		}, a)
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

// conflicts are the roles that nobody may hold together (NIST SP 800-53, AC-5): who makes principals gets at no
// content, no file plan and no key, and approves nothing; who destroys keys approves no destruction.
var conflicts = [][2]Role{
	{Administrator, ReaderRole}, {Administrator, RecordsOfficer}, {Administrator, KeyCustodian},
	{Administrator, Approver}, {KeyCustodian, Approver},
}

// Conflict names two roles among the grants that nobody may hold together, in whatever series; ok is false for none.
func Conflict(grants []Grant) (one, other Role, ok bool) {
	has := func(role Role) bool {
		return slices.ContainsFunc(grants, func(g Grant) bool { return g.Role == role })
	}
	for _, pair := range conflicts {
		if has(pair[0]) && has(pair[1]) {
			return pair[0], pair[1], true
		}
	}
	return "", "", false
}

// Union are the grants of one list, and those of another that it lacks.
func Union(one, other []Grant) []Grant {
	all := slices.Clone(one)
	for _, g := range other {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	return all
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
