package gateway

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"muniment/openapi"
)

// problemPath is where the types of problems live; each can be fetched there.
const problemPath = "/problems/"

// retryAfter is how long a client is asked to wait, in seconds, before it repeats a request that may succeed later.
const retryAfter = 5

// problem is a kind of failure: what its RFC 9457 type stands for.
type problem struct {
	code        string // the last element of the type
	status      int
	title       string
	retry       bool
	explanation string // what to do about it
}

// refusal is a problem as it befell one request. The detail never holds what the client sent.
type refusal struct {
	problem
	detail string      // "": the explanation says it all
	header http.Header // to be sent along; may be nil
	cause  error       // for the log; may be nil
}

// Error is for the log.
func (r *refusal) Error() string {
	if r.cause != nil {
		return r.code + ": " + r.cause.Error()
	}
	return r.code + ": " + r.detail
}

// Unwrap is what led to the refusal.
func (r *refusal) Unwrap() error { return r.cause }

func refuse(p problem, detail string) *refusal { return &refusal{problem: p, detail: detail} }

// with adds a header to the answer.
func (r *refusal) with(key, value string) *refusal {
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(key, value)
	return r
}

// refusalOf says how an error appears to a client: the one place where errors meet HTTP.
func refusalOf(err error) *refusal {
	var ready *refusal
	if errors.As(err, &ready) {
		return ready
	}
	if routing := new(echo.HTTPError); errors.As(err, &routing) {
		switch routing.Code {
		case http.StatusNotFound:
			return refuse(noSuchRoute, "")
		case http.StatusMethodNotAllowed:
			return refuse(methodNotAllowed, "")
		}
	}
	for _, c := range causes() {
		if errors.Is(err, c.err) {
			return &refusal{problem: c.problem, detail: detailOf(err), cause: err}
		}
	}
	return &refusal{problem: internal, cause: err}
}

// sendProblem answers with a problem.
func sendProblem(c echo.Context, id string, r *refusal) error {
	h := c.Response().Header()
	for key, values := range r.header {
		h[key] = values
	}
	if r.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="muniment"`)
	}
	if r.status == http.StatusServiceUnavailable && r.retry {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	h.Set("Cache-Control", "no-store")
	out := openapi.Problem{
		Type: problemPath + r.code, Title: r.title, Status: r.status,
		Detail: optional(r.detail), Retry: r.retry, RequestID: id,
	}
	if r.detail == "" {
		out.Detail = optional(r.explanation)
	}
	return sendJSON(c, r.status, "application/problem+json", out)
}
