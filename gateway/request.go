package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/vault/access"
)

// request is a request of a known caller with known parameters.
type request struct {
	echo.Context
	who   access.Who // zero on public routes
	query url.Values
}

// handle is the path of every request: who sends it, are its parameters those of the call, then the call itself.
func (s *Server) handle(rt route) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := &request{Context: c}
		if !rt.public {
			who, err := s.cfg.Authn.Authenticate(c.Request())
			if err != nil {
				return err
			}
			authenticated(c.Request())
			req.who = who
			c.Set(principalKey, who.Principal.String())
			if err := s.quotas.admit(who); err != nil {
				return err
			}
		} else if err := s.public.admit(c.RealIP(), max(1, rt.cost)); err != nil {
			return err
		}
		if err := req.parse(rt); err != nil {
			return err
		}
		return rt.serve(req)
	}
}

// parse refuses parameters that are not the call's.
func (r *request) parse(rt route) error {
	query, err := url.ParseQuery(r.Request().URL.RawQuery)
	if err != nil {
		return problem.New(problem.BadRequest, "The query string is malformed.")
	}
	for name := range query {
		if !listed(rt.query, name) {
			return problem.New(problem.UnknownParameter, "A query parameter is not one of this call's.")
		}
	}
	for name := range r.Request().Header {
		if strings.HasPrefix(name, "Muniment-") && !listed(rt.headers, name) {
			return problem.New(problem.UnknownParameter, "A Muniment- header is not one of this call's.")
		}
	}
	r.query = query
	return nil
}

// fields is where the request's metadata is.
func (r *request) fields() fields { return fields{r.Request().Header, r.query} }

// id is the document that the path names. Nothing but the canonical form is accepted, so no escape, dot or NUL gets by.
func (r *request) id() (journal.ID, error) {
	id, err := journal.ParseID(r.Param("id"))
	if err != nil {
		return journal.ID{}, problem.New(problem.BadID, "")
	}
	return id, nil
}

// rest is what follows prefix in the path, percent-decoded once.
func (r *request) rest(prefix string) (string, error) {
	rest, err := url.PathUnescape(strings.TrimPrefix(r.Request().URL.EscapedPath(), prefix))
	if err != nil || rest == "" {
		return "", problem.New(problem.BadRequest, "The path is malformed.")
	}
	return rest, nil
}

// number is a query parameter in decimal.
func (r *request) number(name string, otherwise, least, most uint64) (uint64, error) {
	values, ok := r.query[name]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil || len(values) > 1 || n < least || n > most {
		return 0, problem.New(problem.BadRequest, fmt.Sprintf("%s wants one number from %d to %d.", name, least, most))
	}
	return n, nil
}

// text is a query parameter.
func (r *request) text(name string) (string, error) {
	if len(r.query[name]) > 1 {
		return "", problem.New(problem.UnknownParameter, name+" is given more than once")
	}
	return r.query.Get(name), nil
}

// time is a query parameter in RFC 3339.
func (r *request) time(name string) (time.Time, error) {
	text, err := r.text(name)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, problem.New(problem.BadRequest, name+" wants a time like 2026-11-22T10:00:00Z.")
	}
	return at, nil
}

// acted answers an act of authority that came to err. When a locked checkpoint covers the act, that is with the status
// given; when none does yet, with 202 and the same body, since the act is in force all the same.
func (r *request) acted(status int, v any, err error) error {
	if err != nil && !errors.Is(err, access.ErrUnreleased) {
		return err
	}
	if err != nil {
		status = http.StatusAccepted
	}
	return r.reply(status, v)
}

// reply answers with JSON.
func (r *request) reply(status int, v any) error {
	r.Response().Header().Set("Cache-Control", "private, no-store")
	return sendJSON(r.Context, status, "application/json", v)
}

// publish answers with JSON that everybody may keep for a minute.
func (r *request) publish(v any) error {
	r.Response().Header().Set("Cache-Control", "public, max-age=60")
	return sendJSON(r.Context, http.StatusOK, "application/json", v)
}

// sendJSON marshals before it sends, so that a failure can still become a problem.
func sendJSON(c echo.Context, status int, contentType string, v any) error {
	out, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing an answer: %w", err)
	}
	return sendBytes(c, status, contentType, append(out, '\n'))
}

func sendBytes(c echo.Context, status int, contentType string, body []byte) error {
	h := c.Response().Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	c.Response().WriteHeader(status)
	if _, err := c.Response().Write(body); err != nil {
		return fmt.Errorf("sending an answer: %w", err)
	}
	return nil
}

// flag is a query parameter that is true or false.
func (r *request) flag(name string) (bool, error) {
	switch value, err := r.text(name); {
	case err != nil:
		return false, err
	case value == "true":
		return true, nil
	case value == "" || value == "false":
		return false, nil
	}
	return false, problem.New(problem.BadRequest, name+" wants true or false.")
}
