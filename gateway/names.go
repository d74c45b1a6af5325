package gateway

import (
	"slices"

	"muniment/anchor/journal"
	"muniment/vault"
)

// names are display names, by the ids of actors, without those that the caller may not see.
type names map[string]string

// names looks up the display names that the caller may see, of those who did what it is told of. Names are a help to
// the reader of an answer: an answer without them is whole.
func (s *Server) names(r *request, actors ...string) names {
	slices.Sort(actors)
	actors = slices.DeleteFunc(slices.Compact(actors), func(id string) bool { return id == "" })
	if len(actors) == 0 {
		return nil
	}
	known, err := s.cfg.Vault.Names(r.Request().Context(), r.who, actors)
	if err != nil {
		s.cfg.Log.WarnContext(r.Request().Context(), "display names are left out of an answer", "error", err)
	}
	return known
}

// actors looks up who caused some events.
func (s *Server) actors(r *request, records []journal.Record) names {
	ids := make([]string, len(records))
	for i, one := range records {
		ids[i] = one.Actor
	}
	return s.names(r, ids...)
}

// depositors looks up who deposited the documents of a page.
func (s *Server) depositors(r *request, p vault.Page) names {
	ids := make([]string, len(p.Documents))
	for i, d := range p.Documents {
		ids[i] = d.Depositor
	}
	return s.names(r, ids...)
}

// of is the name of an actor, as answers have it.
func (n names) of(actor string) *string { return optional(n[actor]) }
