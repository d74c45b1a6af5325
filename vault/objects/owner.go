package objects

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"muniment/anchor/journal"
)

// The names of the objects that say which installation a store belongs to.
const (
	ReleaseOwner   = "owner"          // in the release bucket
	DocumentsOwner = "muniment-owner" // in the documents' store, under a lock
)

// ErrOwned says that a store belongs to another installation.
var ErrOwned = errors.New("it belongs to another installation")

const (
	ownerVersion = 1
	maxOwner     = 4 << 10 // bytes of an owner object; a genuine one is far smaller
)

// Owner is the installation that a store belongs to. It says nothing about who may act: it keeps one that is configured
// wrongly from writing into another's store.
type Owner struct {
	V       int        `json:"v"`
	Journal journal.ID `json:"journal"`
	At      time.Time  `json:"at"` // when it was claimed
}

// ReadOwner reads a store's owner object; false when there is none. It is ErrDamaged when it cannot be read.
func ReadOwner(ctx context.Context, store Store, name string) (Owner, bool, error) {
	body, info, err := store.Get(ctx, name, "", nil)
	if errors.Is(err, ErrNotFound) {
		return Owner{}, false, nil
	}
	if err != nil {
		return Owner{}, false, fmt.Errorf("reading the owner object: %w", err)
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxOwner))
	if err != nil {
		return Owner{}, false, fmt.Errorf("reading the owner object: %w", err)
	}
	var o Owner
	if err := json.Unmarshal(raw, &o); err != nil || info.Size > maxOwner || o.Journal.IsZero() {
		return o, false, fmt.Errorf("the owner object %s cannot be read: %w", name, ErrDamaged)
	}
	if o.V > ownerVersion {
		return o, false, fmt.Errorf("the owner object %s is of format %d, this program knows %d: "+
			"a newer program is needed", name, o.V, ownerVersion)
	}
	return o, true, nil
}

// CheckOwner returns ErrOwned when a store belongs to another journal; false when it belongs to nobody yet.
func CheckOwner(ctx context.Context, store Store, name string, id journal.ID) (bool, error) {
	o, there, err := ReadOwner(ctx, store, name)
	if err == nil && there && o.Journal != id {
		err = fmt.Errorf("its owner object %s names the journal %s, and this one is %s: "+
			"%w", name, o.Journal, id, ErrOwned)
	}
	return there, err
}

// ClaimOwner writes the owner object of a store that belongs to nobody yet, under a lock if until is not zero. Of
// several that do so at once, one has it and the others get ErrOwned.
func ClaimOwner(ctx context.Context, store Store, name string, id journal.ID, now, until time.Time) error {
	raw, err := json.Marshal(Owner{V: ownerVersion, Journal: id, At: now.UTC().Truncate(time.Second)})
	if err != nil {
		return fmt.Errorf("claiming a store: %w", err)
	}
	_, err = store.Put(ctx, name, bytes.NewReader(raw), PutOptions{
		Length: int64(len(raw)), Condition: Condition{Absent: true}, RetainUntil: until,
	})
	if errors.Is(err, ErrExists) {
		_, err = CheckOwner(ctx, store, name, id)
	}
	if err != nil {
		return fmt.Errorf("claiming a store: %w", err)
	}
	return nil
}
