package checkpoints

import (
	"context"
	"errors"
	"fmt"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

// tell is after how many strangers each time a search says that it goes on.
const tell = 10_000

// Search says where the newest checkpoint of a journal is looked for.
type Search struct {
	Store   objects.Store
	Journal journal.ID
	Origin  string // that the checkpoint is to be of
	// Keys are the verifier keys (name+hash+key) of all origins that the journal has had.
	Keys []string
	// Passed, if not nil, is told from time to time how many objects were passed over that no key of ours has signed:
	// somebody has put very many of them there.
	Passed func(strangers int)
}

// Newest finds the largest kept checkpoint of an origin. One of an origin that none of the keys has as its name, signed
// by one of these keys all the same, is ErrLaterOrigin, and the checkpoint is returned with it. ErrNone when there is
// no checkpoint.
//
// Objects that no key of ours has signed count for nothing. They are told by their names, and however many there are,
// all of them are passed over: a search that gave up would be stopped by whoever can write to the store, and one that
// went on without an answer would take an older journal for the newest.
func Newest(ctx context.Context, search Search) (Kept, error) {
	found, err := search.newest(ctx)
	if err != nil {
		return found, fmt.Errorf("looking for the newest locked checkpoint: %w", err)
	}
	return found, nil
}

func (s Search) newest(ctx context.Context) (Kept, error) {
	ours, err := newVerifiers(s.Keys)
	if err != nil {
		return Kept{}, err
	}
	strangers, last := 0, ""
	for info, err := range s.Store.List(ctx, prefixOf(s.Journal), "") {
		if err != nil {
			return Kept{}, err
		}
		if info.Key == last { // an older version of what was judged already
			continue
		}
		last = info.Key
		found, ok := ours.open(s.Journal, info.Key)
		found.Strangers = strangers
		switch {
		case ok && found.Origin == s.Origin && !found.mark:
			return s.describe(ctx, found, info)
		case ok && !ours.names[found.Origin]:
			return found, fmt.Errorf("%s at %d: %w", found.Origin, found.Size, ErrLaterOrigin)
		case ok: // of an origin of ours that has ended, or a mark
			continue
		}
		if strangers++; strangers%tell == 0 && s.Passed != nil {
			s.Passed(strangers)
		}
	}
	return Kept{Strangers: strangers}, ErrNone
}

// describe adds what the store says of the object.
func (s Search) describe(ctx context.Context, k Kept, info objects.Info) (Kept, error) {
	k.Version, k.At = info.Version, info.Modified
	stat, err := s.Store.Stat(ctx, info.Key, info.Version)
	if errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrDamaged) { // its name says what was signed
		return k, nil
	}
	k.Until = stat.RetainUntil
	return k, err
}
