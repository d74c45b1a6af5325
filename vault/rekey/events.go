package rekey

import (
	"time"

	"muniment/anchor/journal"
)

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
	KeyTrimRefused     journal.Type[KeyTrimRefusedData]     = "key.trim_refused/1"
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
	// Rows are the keys of the rows: a restore writes no other in the name of the event.
	Rows [][]byte `json:"rows"`
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

// KeyTrimRefusedData says that a trim was not carried out, nothing having been destroyed, since a row of the tenant
// that the journal binds does not open with the tenant's key. It is an alarm.
type KeyTrimRefusedData struct {
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

// Proposal is the trim.
func (d KeyTrimProposedData) Proposal() journal.ID { return d.ID }

// Proposal is the trim.
func (d KeyTrimApprovedData) Proposal() journal.ID { return d.ID }

// Proposal is the trim.
func (d KeyTrimBegunData) Proposal() journal.ID { return d.ID }

// Proposal is the trim.
func (d KeyTrimmedData) Proposal() journal.ID { return d.ID }

// Proposal is the trim.
func (d ErasedInBackupsData) Proposal() journal.ID { return d.ID }

func reduceKeysRewrapped(w *journal.Writer, _ journal.Entry, d KeysRewrappedData) error {
	for _, key := range d.Rows {
		if err := w.Rewrite(key); err != nil {
			return err
		}
	}
	return nil
}

// Definitions are the event types of this package, with their reducers.
func Definitions() []journal.Definition {
	return []journal.Definition{
		KeyRotated.On(func(w *journal.Writer, e journal.Entry, d KeyRotatedData) error {
			return changeKey(w, e, func(key *keyRow) { key.Newest, key.Rotated = d.Version, e.At })
		}),
		KeyRewrapBegun.On(func(w *journal.Writer, e journal.Entry, d KeyRewrapBegunData) error {
			return changeKey(w, e, func(key *keyRow) { key.Floor = d.Version })
		}),
		KeysRewrapped.On(reduceKeysRewrapped).Quiet(),
		KeyRewrapCompleted.On(func(w *journal.Writer, e journal.Entry, d KeyRewrapCompletedData) error {
			return changeKey(w, e, func(key *keyRow) { key.Rewrapped, key.Complete = d.Version, e.Index })
		}),
		KeyTrimProposed.On(reduceTrimProposed),
		KeyTrimApproved.On(reduceTrimApproved),
		KeyTrimBegun.On(reduceTrimBegun),
		KeyTrimRefused.On(func(w *journal.Writer, e journal.Entry, _ KeyTrimRefusedData) error {
			return changeKey(w, e, func(key *keyRow) { key.Refused = e.At })
		}),
		KeyTrimmed.On(reduceTrimmed),
		ErasedInBackups.On(reduceErasedInBackups),
		BackupVerified.On(reduceBackupVerified),
	}
}
