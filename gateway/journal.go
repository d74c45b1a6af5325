package gateway

import (
	"context"
	"net/http"
	"time"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault"
)

// tilePath is where the log's tiles are, as C2SP tlog-tiles has it below the log's prefix.
const tilePath = "/v1/journal/tile/"

// maxWait is how long a feed is held open, in seconds.
const maxWait = 60

// maxNumber is the largest number that every reader of JSON takes exactly (RFC 8259, section 6), and that can still be
// counted on from.
const maxNumber = 1<<53 - 1

func (s *Server) checkpoint(r *request) error {
	// C2SP tlog-tiles asks for this type. From a cache the log would seem not to grow.
	r.Response().Header().Set("Cache-Control", "no-cache")
	return sendBytes(r.Context, http.StatusOK, "text/plain; charset=utf-8", s.cfg.Journal.Checkpoint().Note)
}

func (s *Server) tile(r *request) error {
	rest, err := r.rest(tilePath)
	if err != nil {
		return err
	}
	path, err := journal.ParseTilePath("tile/" + rest)
	if err != nil {
		return problem.New(problem.NotFound, "")
	}
	var data []byte
	if path.Entries {
		if err := s.public.admit(r.RealIP(), bundleCost-1); err != nil {
			return err
		}
		data, err = s.bundle(r.Request().Context(), path)
	} else {
		data, err = s.cfg.Journal.Tile(r.Request().Context(), path.Level, path.N, path.Width)
	}
	if err != nil {
		return err
	}
	// A partial tile is as immutable as a full one: its width stands in its name.
	r.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return sendBytes(r.Context, http.StatusOK, octets, data)
}

// entries serves the feed. With wait, it stays open until there is something to tell.
func (s *Server) entries(r *request) error {
	after, err := r.number("after", 0, 0, maxNumber)
	if err != nil {
		return err
	}
	limit, err := r.number("limit", 100, 1, vault.MaxFeed)
	if err != nil {
		return err
	}
	seconds, err := r.number("wait", 0, 0, maxWait)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Request().Context(), time.Duration(seconds)*time.Second)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	records, err := s.feed(ctx, r, after, int(limit))
	if err != nil {
		return err
	}
	next := after
	if len(records) > 0 {
		next = records[len(records)-1].Seq
	}
	return r.reply(http.StatusOK, openapi.EntryPage{Entries: entries(s.actors(r, records), records), Next: next})
}

// feed reads until there is an entry or ctx ends. The journal's size is taken before each reading, so that nothing can
// fall between reading and waiting.
func (s *Server) feed(ctx context.Context, r *request, after uint64, limit int) ([]journal.Record, error) {
	for {
		size := s.cfg.Journal.Size()
		records, err := s.cfg.Vault.Feed(r.Request().Context(), r.who, after, limit)
		if err != nil || len(records) > 0 {
			return records, err
		}
		if err := s.cfg.Journal.News(ctx, size); err != nil {
			if ctx.Err() != nil {
				return nil, nil
			}
			return nil, err
		}
	}
}

func (s *Server) version(r *request) error {
	return r.publish(openapi.Version{
		Version: s.cfg.Version, API: apiVersion, Origin: s.cfg.Journal.Checkpoint().Origin,
	})
}

// apiVersion is info.version of the contract.
const apiVersion = "1"
