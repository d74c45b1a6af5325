package gateway

import (
	"context"
	"net/http"
	"time"

	"muniment/anchor"
	"muniment/openapi"
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
	query := anchor.Query{Before: before, Limit: int(limit)}
	list, err := s.cfg.Publisher.Anchors(r.Request().Context(), r.who.Actor(), query)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, anchorList(list))
}

func (s *Server) anchorNow(r *request) error {
	ctx, cancel := context.WithTimeout(r.Request().Context(), anchorTime)
	defer cancel()
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
