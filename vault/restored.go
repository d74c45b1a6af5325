package vault

import (
	"fmt"
	"time"

	"muniment/anchor/journal"
)

// JournalRestoredData says that the journal was made anew from what was released. It is about no document, and the
// actor is the operator.
type JournalRestoredData struct {
	Size uint64 `json:"size"` // in leaves, of the head that it was restored from
	// Outside are the heads from outside that say that nothing which they had seen is missing.
	Outside []OutsideHead `json:"outside"`
}

// OutsideHead is a head that lay where the release bucket's owner cannot put it back.
type OutsideHead struct {
	From string `json:"from"`
	Size uint64 `json:"size"`
}

// ObjectsUnknownData says that the documents' store holds objects of the tenant that are newer than the head which the
// journal was restored from, or went on from after a loss, and that the log does not know: deposits may be missing. It
// is about no document.
type ObjectsUnknownData struct {
	Since   uint64    `json:"since"` // index of the restore or the accepted loss
	Objects int       `json:"objects"`
	Bytes   int64     `json:"bytes"`
	Oldest  time.Time `json:"oldest"` // when the store got the first of them
	Newest  time.Time `json:"newest"`
}

var (
	restores = journal.NewRows[restoredRow]("restores")        // under "last"
	unknowns = journal.NewRows[ObjectsUnknownData]("unknowns") // tenant → the newest event
	lastRow  = []byte("last")
)

type restoredRow struct {
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
}

func reduceRestored(w *journal.Writer, e journal.Entry, _ JournalRestoredData) error {
	return restores.Put(w, lastRow, restoredRow{Index: e.Index, At: e.Wall})
}

func reduceUnknown(w *journal.Writer, e journal.Entry, d ObjectsUnknownData) error {
	return unknowns.Put(w, []byte(e.Tenant), d)
}

// clockSlack is how far the clocks of machine and store may differ when objects are told from those of later deposits.
const clockSlack = 5 * time.Minute

// Return is when a journal last came back: it was restored, or went on after a loss. The objects that the documents'
// store had then may belong to entries that did not come back.
type Return struct {
	Index uint64    // of the event
	At    time.Time // when, by the clock, as the store's times of objects are
	Head  time.Time // that time of the last entry that came back
}

// Spares says whether an object that the store got at the time given was there already.
func (r Return) Spares(modified time.Time) bool { return modified.Before(r.At) }

// Alarms says whether such an object, if the log does not know it, belongs to a deposit that did not come back.
func (r Return) Alarms(modified time.Time) bool {
	return r.Spares(modified) && modified.After(r.Head.Add(-clockSlack))
}

// LastReturn is when the journal of a snapshot last came back; the zero value when it never did.
func LastReturn(r journal.Reader) (last Return, err error) {
	row, there, err := restores.Get(r, lastRow)
	if err != nil {
		return last, fmt.Errorf("looking for restores: %w", err)
	}
	if there {
		last = Return{Index: row.Index, At: row.At}
	}
	eras, err := journal.Eras(r)
	if err != nil {
		return last, err
	}
	if era := eras[len(eras)-1]; era.Lost != nil && era.From > last.Index {
		record, err := journal.RecordAt(r, era.From)
		if err != nil {
			return last, err
		}
		last = Return{Index: era.From, At: record.Wall}
	}
	if last.At.IsZero() {
		return last, nil
	}
	last.Head, err = cameBack(r, last.Index)
	return last, err
}

// cameBack is the time by the clock of the last entry before an index that is not about the clock. Entries about it may
// stand before the return's own, and were written as late as that.
func cameBack(r journal.Reader, index uint64) (time.Time, error) {
	for index--; ; index-- {
		before, err := journal.RecordAt(r, index)
		if err != nil || before.Tenant != journal.System || before.Actor != journal.ClockActor || index == 0 {
			return before.Wall, err
		}
	}
}

// Unowned says whether no document has the object under a key.
func Unowned(r journal.Reader, key string) (bool, error) {
	none, err := unowned(r, key)
	if err != nil {
		return false, fmt.Errorf("looking for the document of an object: %w", err)
	}
	return none, nil
}
