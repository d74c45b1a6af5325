package vault

import (
	"context"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

// look counts those objects of a batch from before the journal came back that the log does not know.
func (s *sweep) look(ctx context.Context, batch []objects.Info) error {
	unknown, err := s.orphans(ctx, batch)
	for _, info := range unknown {
		u := &s.unknown
		u.Objects, u.Bytes = u.Objects+1, u.Bytes+info.Size
		if u.Oldest.IsZero() || info.Modified.Before(u.Oldest) {
			u.Oldest = info.Modified
		}
		if info.Modified.After(u.Newest) {
			u.Newest = info.Modified
		}
	}
	return err
}

// alarm says, in the log each time and on record when it is news, that the store knows objects which the log does not:
// they are newer than what the journal came back with, so deposits that were acknowledged may be missing.
func (s *sweep) alarm(ctx context.Context) error {
	if s.unknown.Objects == 0 {
		return nil
	}
	s.unknown.Since = s.back.Index
	s.cfg.Log.Error("the documents' store has objects that are newer than what the journal was restored from, and "+
		"that "+
		"the log does not know: deposits may be missing; they stay, and muniment fsck lists them",
		"objects", s.unknown.Objects, "oldest", s.unknown.Oldest, "newest", s.unknown.Newest)
	actor := journal.Actor{Tenant: s.tenant, ID: sweepActor}
	_, err := s.cfg.Journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
		last, _, err := unknowns.Get(view, []byte(s.tenant))
		if err != nil || last.same(s.unknown) {
			return journal.Change{}, err
		}
		return journal.Change{Events: []journal.Event{ObjectsUnknown.New(journal.ID{}, s.unknown)}}, nil
	})
	return err
}

// same says whether two findings are one.
func (d ObjectsUnknownData) same(other ObjectsUnknownData) bool {
	return d.Since == other.Since && d.Objects == other.Objects && d.Bytes == other.Bytes &&
		d.Oldest.Equal(other.Oldest) && d.Newest.Equal(other.Newest)
}
