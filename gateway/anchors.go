package gateway

import (
	"context"
	"net/http"
	"time"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/openapi"
	"muniment/vault/access"
)

// Pages of a listing of anchors.
const (
	defaultAnchors = 50
	maxAnchors     = 500
)

// anchorTime is how long a caller waits for the ledgers to take an anchor. The publisher goes on trying afterwards.
const anchorTime = time.Minute

func (s *Server) listAnchors(r *request) error {
	before, err := r.number("before", 0, 0, maxNumber)
	if err != nil {
		return err
	}
	limit, err := r.number("limit", defaultAnchors, 1, maxAnchors)
	if err != nil {
		return err
	}
	ctx := r.Request().Context()
	if err := s.cfg.Vault.Permit(ctx, r.who, access.ViewAnchors); err != nil {
		return err
	}
	var list []anchor.Anchor
	err = s.cfg.Journal.View(ctx, func(view journal.Reader) error {
		list, err = anchor.Anchors(view, anchor.Query{Before: before, Limit: int(limit)})
		return err
	})
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, anchorList(list))
}

func (s *Server) anchorNow(r *request) error {
	ctx, cancel := context.WithTimeout(r.Request().Context(), anchorTime)
	defer cancel()
	// The publisher asks for permission in its own decide; the vault is asked before because it counts refusals, so
	// that a flood of them shares an event.
	if err := s.cfg.Vault.Permit(ctx, r.who, access.AnchorNow); err != nil {
		return err
	}
	list, err := s.cfg.Publisher.Now(ctx, r.who.Actor())
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, anchorList(list))
}

func anchorList(list []anchor.Anchor) openapi.AnchorList {
	out := openapi.AnchorList{Anchors: make([]openapi.Anchor, len(list))}
	for i, a := range list {
		out.Anchors[i] = openapi.Anchor{
			Index: a.Index, Kind: a.Kind, ID: a.ID, State: openapi.AnchorState(a.State), Size: a.Size(),
			Attempt:    a.Attempt.ID,
			PreparedAt: a.Prepared, UpdatedAt: a.Updated,
		}
	}
	return out
}
