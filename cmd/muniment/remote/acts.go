package remote

import (
	"fmt"
	"net/http"
)

// unconfirmed is what a person is told whose act of authority was answered 202. It is no failure.
const unconfirmed = "in force, not yet confirmed outside: no locked checkpoint covers it, because the release " +
	"bucket, the key service or the documents' store is away; it will have one when they are back, and /readyz says " +
	"which it is"

// acted is the whole body of the answer to an act of authority. It tells the person when the act is not confirmed.
func (r *Client) acted(res *http.Response, err error) ([]byte, error) {
	if res, err = r.answer(res, err); err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := readAll(res)
	if err == nil && res.StatusCode == http.StatusAccepted {
		r.tell()
	}
	return body, err
}

// tell says that an act is not confirmed yet.
func (r *Client) tell() { fmt.Fprintln(r.notices, unconfirmed) }
