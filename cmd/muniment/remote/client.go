// Package remote calls a server as a person's program does.
package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"muniment/anchor/bounded"
	"muniment/cmd/muniment/cli"
	"muniment/openapi/client"
)

// Client calls one server, as one principal.
type Client struct {
	Base string
	http *http.Client
	api  *client.Client
	// notices is where a person is told what is no failure.
	notices io.Writer
}

// Connect is a client of the server that the flags and the environment name.
func Connect(p *cli.Program) (*Client, error) {
	if err := p.Connection.Resolve(p.Getenv); err != nil {
		return nil, err
	}
	return connect(p)
}

// ConnectWithoutKey is a client of the server that the flags and the environment name, for calls that need no API key.
func ConnectWithoutKey(p *cli.Program) (*Client, error) {
	if err := p.Connection.ResolveWithoutKey(p.Getenv); err != nil {
		return nil, err
	}
	return connect(p)
}

// connect is a client of the server that a program's connection names.
func connect(p *cli.Program) (*Client, error) {
	r, err := New(p.Connection.URL, p.Connection.Token.Reveal(), http.DefaultTransport)
	if err == nil {
		r.notices = p.Stderr
	}
	return r, err
}

// New is a client of the server at a URL, which sends the API key with every request.
func New(url, token string, transport http.RoundTripper) (*Client, error) {
	r := &Client{Base: url, http: &http.Client{Transport: bearer{token, transport}}, notices: io.Discard}
	api, err := client.NewClient(url, client.WithHTTPClient(r.http))
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	r.api = api
	return r, nil
}

// Close lets go of idle connections.
func (r *Client) Close() { r.http.CloseIdleConnections() }

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

// CloseIdleConnections passes on what [http.Client] asks its transport.
func (b bearer) CloseIdleConnections() {
	if c, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// NewTransport keeps as many connections open as there are clients that call at once.
func NewTransport(clients int) *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
}

// answer passes on an answer whose status is 2xx. Any other answer, and none, is an error; its body is then closed.
func (r *Client) answer(res *http.Response, err error) (*http.Response, error) {
	switch {
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("interrupted: %w", err)
	case err != nil:
		return nil, cli.Hint(fmt.Errorf("calling %s: %w", r.Base, err),
			"is the server running, and is --url (MUNIMENT_URL) right?")
	case res.StatusCode/100 != 2:
		defer res.Body.Close()
		return nil, failure(res)
	}
	return res, nil
}

// body is the whole body of an answer.
func (r *Client) body(res *http.Response, err error) ([]byte, error) {
	if res, err = r.answer(res, err); err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return readAll(res)
}

// readAll reads the body of an answer, which the caller closes.
func readAll(res *http.Response) ([]byte, error) {
	body, err := bounded.ReadAll(res.Body, bounded.Large)
	if err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	return body, nil
}

// decode reads the JSON of an answer's body.
func decode[T any](body []byte, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	var out T
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, cli.Hint(fmt.Errorf("reading the server's answer: %w", err), otherServer)
	}
	return &out, nil
}
