// Package checkpoints keeps a journal's newest signed checkpoint under a retention lock in the documents' store, which
// is not the release bucket's owner's to put back: a start compares the journal with it, so that one whose database and
// release bucket were both put back to an earlier time does not go on as if nothing had followed.
//
// Each checkpoint has a key of its own, Prefix<journal id>/<reversed size>, so that the newest lists first. An object
// there is believed only as far as a key of the journal's has signed it. The sweep never looks at the prefix.
package checkpoints

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
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
	// ErrJunk says that more objects under the journal's prefix than are looked at are no checkpoints of ours, so that
	// it cannot be told which the newest is. Somebody has put them there.
	ErrJunk = errors.New("the documents' store has too many objects among the kept checkpoints that are none")
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

	mark bool // of its origin
}

// Lost is the checkpoint as a head that was seen.
func (k Kept) Lost() journal.LostHead {
	return journal.LostHead{Origin: k.Origin, Size: k.Size, Root: k.Root}
}

// Key is the key of a journal's checkpoint at a size.
func Key(id journal.ID, size uint64) string {
	return fmt.Sprintf("%s%020d", prefixOf(id), math.MaxUint64-size)
}

// originKey is the key of a checkpoint that stays as the mark of an origin that began later than the first. Marks list
// before all other checkpoints, so that a copy of the journal from before the origin is told from it at once, whatever
// the sizes of its checkpoints.
func originKey(id journal.ID, origin string) string {
	digest := sha256.Sum256([]byte(origin))
	return prefixOf(id) + "-" + hex.EncodeToString(digest[:16])
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
