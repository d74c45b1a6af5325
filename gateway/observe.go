package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
)

// principalKey is where the principal's id is kept, for the log.
const principalKey = "principal"

// statusGone is the status, in log and metrics, of a request whose client left before its answer.
const statusGone = 499

// errPanicked says that a handler panicked.
var errPanicked = errors.New("a handler panicked")

// observe surrounds every request: it names it, turns errors into problems, survives panics, logs and counts. Request
// ids are always drawn here, so that nobody outside can write into the log.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := s.cfg.Clock.Now()
		id, err := journal.NewID(begun, s.cfg.Rand)
		if err != nil {
			return fmt.Errorf("naming a request: %w", err)
		}
		c.Response().Header().Set("Muniment-Request-Id", id.String())
		s.metrics.begin()
		var broken bool
		if err = s.guard(next, c); err != nil {
			broken = s.answer(c, id.String(), err)
		}
		took, status := s.cfg.Clock.Now().Sub(begun), c.Response().Status
		if broken && !c.Response().Committed {
			status = statusGone
		}
		s.metrics.end(c, status, took)
		s.log(c, id.String(), status, took, err)
		if broken {
			// Only a broken connection tells the client that its answer is not whole.
			panic(http.ErrAbortHandler)
		}
		return nil
	}
}

// guard turns a panic into an error. The value of a panic may be anybody's data, so it is kept only when the
// runtime made it.
func (s *Server) guard(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		err = errPanicked
		if fault, ok := cause.(runtime.Error); ok {
			err = fmt.Errorf("%w: %w", errPanicked, fault)
		}
		s.cfg.Log.Error("a handler panicked", "route", c.Path(), "stack", string(debug.Stack()))
	}()
	return routed(next(c))
}

// answer sends the problem that an error is. If the answer has begun already, or the client is gone, the connection can
// only be broken.
func (s *Server) answer(c echo.Context, id string, err error) (broken bool) {
	if c.Response().Committed {
		return true
	}
	p := problem.Of(err)
	if p.Status >= http.StatusInternalServerError && c.Request().Context().Err() != nil {
		return true
	}
	if p.Code == problem.Unauthenticated.Code {
		s.metrics.refused()
	}
	for _, of := range []string{"ETag", "Accept-Ranges", "Content-Disposition", "Content-Security-Policy",
		"Muniment-Index"} {
		c.Response().Header().Del(of) // they were for the content
	}
	return sendProblem(c, id, p) != nil
}

// log writes the access log: the route and never the path, the query or a header, for these may name people and
// documents. The client's address is written for refused credentials only, where it is needed to stop who tries them.
func (s *Server) log(c echo.Context, id string, status int, took time.Duration, err error) {
	attributes := []slog.Attr{
		slog.String("request_id", id), slog.String("method", methodLabel(c.Request().Method)),
		slog.String("route", routeLabel(c)),
		slog.Int("status", status), slog.Int64("bytes", c.Response().Size),
		slog.Float64("duration_seconds", took.Seconds()),
	}
	if principal, ok := c.Get(principalKey).(string); ok {
		attributes = append(attributes, slog.String("principal", principal))
	}
	level := slog.LevelInfo
	if status == http.StatusUnauthorized {
		attributes = append(attributes, slog.String("peer", c.RealIP()))
	}
	if err != nil {
		p := problem.Of(err)
		attributes = append(attributes, slog.String("problem", p.Code))
		if p.Status >= http.StatusInternalServerError && status != statusGone {
			level = slog.LevelError
			attributes = append(attributes, slog.String("error", p.Error()))
		}
	}
	s.cfg.Log.LogAttrs(context.WithoutCancel(c.Request().Context()), level, "request served", attributes...)
}
