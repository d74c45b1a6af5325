package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"muniment/openapi"
	"muniment/openapi/client"
)

// maxProblem is more than any problem's size.
const maxProblem = 64 << 10

// remote is a server, seen by a client.
type remote struct {
	base string
	http *http.Client
	api  *client.ClientWithResponses
}

// server is the one that flags and environment name.
func connect(p *program) (*remote, error) {
	if err := p.connection.Resolve(p.getenv); err != nil {
		return nil, err
	}
	return newRemote(p.connection.URL, p.connection.Token.Reveal(), http.DefaultTransport)
}

func newRemote(url, token string, transport http.RoundTripper) (*remote, error) {
	r := &remote{base: url, http: &http.Client{Transport: bearer{token, transport}}}
	api, err := client.NewClientWithResponses(url, client.WithHTTPClient(r.http))
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	r.api = api
	return r, nil
}

// close lets go of idle connections.
func (r *remote) close() { r.http.CloseIdleConnections() }

// bearer sends the API key with each request. It sends it to no other host, as the client follows no redirects there.
type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// problemError is a refusal of the server's.
type problemError struct {
	openapi.Problem
	after time.Duration // how long it asks to wait; 0 if it does not say
}

// foreignError is an answer that is not a Muniment server's: a proxy's, most likely.
type foreignError struct {
	status int
	after  time.Duration
}

func (e *foreignError) Error() string {
	return fmt.Sprintf("the server answers %d, and not with a problem of ours", e.status)
}

func (e *problemError) Error() string {
	text := fmt.Sprintf("the server answers %d: %s", e.Status, e.Title)
	if e.Detail != nil && *e.Detail != "" {
		text += ": " + *e.Detail
	}
	return text
}

// answered makes an error of an answer that is not one of those wanted.
func answered(status int, body []byte, wanted ...int) error {
	for _, w := range wanted {
		if status == w {
			return nil
		}
	}
	var e problemError
	if err := json.Unmarshal(body, &e.Problem); err != nil || e.Title == "" {
		return hint(&foreignError{status: status},
			"check --url: is there a Muniment server behind it, or a proxy that answers for it?")
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		return hint(&e, "give the API key with --token-file, MUNIMENT_TOKEN or --token; serve prints one the first time")
	case e.Retry:
		return hint(&e, "the same command may succeed later; request "+e.RequestID+" in the server's log says why")
	case e.Status >= http.StatusInternalServerError:
		return hint(&e, "look for request "+e.RequestID+" in the server's log")
	}
	return &e
}

// failure makes an error of an answer whose body was not read yet, and reads it.
func failure(res *http.Response, wanted ...int) error {
	for _, w := range wanted {
		if res.StatusCode == w {
			return nil
		}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	err = answered(res.StatusCode, body, wanted...)
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // a date is not used by us
	after := time.Duration(max(0, seconds)) * time.Second
	if problem := new(problemError); errors.As(err, &problem) {
		problem.after = after
	}
	if foreign := new(foreignError); errors.As(err, &foreign) {
		foreign.after = after
	}
	return err
}

// unreached explains why a call had no answer.
func (r *remote) unreached(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted: %w", err)
	}
	return hint(fmt.Errorf("calling %s: %w", r.base, err), "is the server running, and is --url (MUNIMENT_URL) right?")
}

// CloseIdleConnections passes on what [http.Client] asks its transport.
func (b bearer) CloseIdleConnections() {
	if c, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// find resolves an argument to a document's id: the id itself, or the caller's own after --external-id.
func (r *remote) find(ctx context.Context, args []string, external string) (string, error) {
	if external == "" {
		return args[0], nil
	}
	res, err := r.api.GetDocumentByExternalIDWithResponse(ctx, external)
	if err != nil {
		return "", r.unreached(err)
	}
	if err := answered(res.StatusCode(), res.Body, http.StatusOK); err != nil {
		return "", err
	}
	return res.JSON200.ID, nil
}
