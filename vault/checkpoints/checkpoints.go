// Package checkpoints keeps a journal's newest signed checkpoint under a retention lock in the documents' store, which
// is not the release bucket's owner's to put back: a start compares the journal with it, so that one whose database and
// release bucket were both put back to an earlier time does not go on as if nothing had followed.
//
// The key of each checkpoint has all that was signed, and the signature, after its reversed size: the newest lists
// first, and whatever no key of the journal has signed is told by its name alone. An object that others put there costs
// a start the listing of it, and nothing else; it is counted. The sweep never looks at the prefix.
package checkpoints

import (
	"errors"
	"strings"
	"time"

	"muniment/anchor/journal"
)

// Prefix begins the keys of all kept checkpoints.
const Prefix = "muniment-checkpoint/"

// Lock is how long a checkpoint is locked each time.
const Lock = 35 * 24 * time.Hour

var (
	// ErrNone says that no checkpoint of the journal's present origin is kept.
	ErrNone = errors.New("no checkpoint of this journal is kept in the documents' store")
	// ErrLaterOrigin says that a key of the journal's has signed a checkpoint under an origin that the journal does not
	// know: it is an older copy, from before that origin began.
	ErrLaterOrigin = errors.New("a checkpoint is kept of an origin that the journal does not know")
	// ErrUnkept says that it is on record, but that no locked checkpoint covers it yet. It will be written as soon as
	// signer and store let it.
	ErrUnkept = errors.New("it is on record, but no locked checkpoint covers it yet")
)

// Kept is a checkpoint in the store.
type Kept struct {
	Origin  string
	Size    uint64
	Root    journal.Hash
	Note    []byte    // as it was signed
	Key     string    // of the object
	Version string    // of the object
	At      time.Time // when the store got it
	Until   time.Time // the end of its lock

	// Strangers are how many objects were listed before it that no key of the journal has signed.
	Strangers int

	mark bool // of its origin
}

// Lost is the checkpoint as a head that was seen.
func (k Kept) Lost() journal.LostHead {
	return journal.LostHead{Origin: k.Origin, Size: k.Size, Root: k.Root}
}

// prefixOf begins the keys of one journal's checkpoints.
func prefixOf(id journal.ID) string { return Prefix + id.String() + "/" }

// JournalOf is the id of the journal that a key belongs to; false for a key that is none of a checkpoint.
func JournalOf(key string) (journal.ID, bool) {
	rest, ok := strings.CutPrefix(key, Prefix)
	name, _, cut := strings.Cut(rest, "/")
	if !ok || !cut {
		return journal.ID{}, false
	}
	id, err := journal.ParseID(name)
	return id, err == nil
}
