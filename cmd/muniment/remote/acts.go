package remote

import (
	"fmt"
	"net/http"
)

// unconfirmed is what a person is told whose act of authority was answered 202. It is no failure.
const unconfirmed = "in force, not yet confirmed outside: no locked checkpoint covers it, because the release " +
	"bucket, the key service or the documents' store is away; it will have one when they are back, and /readyz says " +
	"which it is"

// act reads the answer to an act of authority, and tells the person whether it is confirmed.
func act[T any](r *Client, res *http.Response, err error) (*T, error) {
	accepted := err == nil && res.StatusCode == http.StatusAccepted
	out, err := decode[T](r.body(res, err))
	if err == nil && accepted {
		r.tell()
	}
	return out, err
}

// tell says that an act is not confirmed yet.
func (r *Client) tell() { fmt.Fprintln(r.notices, unconfirmed) }
