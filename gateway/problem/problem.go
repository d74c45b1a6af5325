// Package problem is every way a request can fail, its code, and what to do about it; API and console answer with it.
//
// [Of] maps an error of any package below to a Problem; the handlers make the others with [New]. A Problem is a
// value: the API writes it as JSON by RFC 9457 ([Problem.JSON]), the console as a page.
package problem

import (
	"errors"
	"net/http"
	"time"

	"muniment/openapi"
)

// Path is where the types of problems live: each Kind can be fetched at Path and its code.
const Path = "/problems/"

// retryAfter is how long a client waits before it repeats a request that a 503 says may succeed later.
const retryAfter = 5 * time.Second

// Kind is a kind of failure: what an RFC 9457 type stands for.
type Kind struct {
	Code   string // the last element of the type; a promise, since clients tell problems apart by it
	Status int    // of HTTP
	Title  string
	// Retry says whether the same request may succeed later without anybody changing it.
	Retry       bool
	Explanation string // what to do about it
}

// Problem is a failure of one request. It is an error, so that handlers can return it.
type Problem struct {
	Kind
	// Detail says what is wrong with this request, and never holds what the client sent. Where it is empty, the
	// explanation stands in its place.
	Detail string
	// RetryAfter is how long to wait before the request is repeated; 0 says nothing about it.
	RetryAfter time.Duration
	Header     http.Header // sent along with the answer; may be nil
	Cause      error       // for the log; may be nil
}

// New makes a problem; an empty detail leaves everything to the explanation.
func New(k Kind, detail string) *Problem {
	p := &Problem{Kind: k, Detail: detail}
	if k.Retry && k.Status == http.StatusServiceUnavailable {
		p.RetryAfter = retryAfter
	}
	return p
}

// Of says how an error appears to a client. An error that no kind is known for is Internal.
func Of(err error) *Problem {
	var ready *Problem
	if errors.As(err, &ready) {
		return ready
	}
	p := New(kindOf(err), detailOf(err))
	p.Cause = err
	return p
}

// With adds a header to the answer.
func (p *Problem) With(key, value string) *Problem {
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Set(key, value)
	return p
}

// Error is for the log.
func (p *Problem) Error() string {
	if p.Cause != nil {
		return p.Code + ": " + p.Cause.Error()
	}
	return p.Code + ": " + p.Detail
}

// Unwrap gives the error that led to the problem.
func (p *Problem) Unwrap() error { return p.Cause }

// Advice is the detail, or what the kind says to do where there is none.
func (p *Problem) Advice() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Explanation
}

// JSON is the problem as RFC 9457 has it (application/problem+json). The request id leads an operator to the log.
func (p *Problem) JSON(requestID string) openapi.Problem {
	detail := p.Advice()
	return openapi.Problem{
		Type: Path + p.Code, Title: p.Title, Status: p.Status, Detail: &detail, Retry: p.Retry, RequestID: requestID,
	}
}

// JSON is the kind as its type is explained at Path.
func (k Kind) JSON() openapi.ProblemType {
	return openapi.ProblemType{
		Type: Path + k.Code, Title: k.Title, Status: k.Status, Retry: k.Retry, Explanation: k.Explanation,
	}
}
