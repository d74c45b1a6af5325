package remote

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"muniment/cmd/muniment/cli"
	"muniment/openapi"
)

// maxProblem is the largest problem that is read, in bytes: none of ours comes near it.
const maxProblem = 64 << 10

// otherServer is what to do about an answer that no Muniment server gives.
const otherServer = "check --url: is there a Muniment server behind it, or a proxy that answers for it?"

// ProblemError is a refusal of the server's (RFC 9457).
type ProblemError struct {
	openapi.Problem
	after time.Duration // how long it asks to wait; 0 if it does not say
}

func (e *ProblemError) Error() string {
	text := fmt.Sprintf("the server answers %d: %s", e.Status, e.Title)
	if e.Detail != nil && *e.Detail != "" {
		text += ": " + *e.Detail
	}
	return text
}

// foreignError is an answer that is not a Muniment server's: a proxy's, most likely.
type foreignError struct {
	status int
	after  time.Duration
}

func (e *foreignError) Error() string {
	return fmt.Sprintf("the server answers %d, and not with a problem of ours", e.status)
}

// failure makes an error of an answer that is a refusal, and reads its body.
func failure(res *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // our server never sends a date
	after := time.Duration(max(0, seconds)) * time.Second
	e := ProblemError{after: after}
	if err := json.Unmarshal(body, &e.Problem); err != nil || e.Title == "" {
		return cli.Hint(&foreignError{status: res.StatusCode, after: after}, otherServer)
	}
	switch {
	case e.Type == "/problems/key-unapproved": // it says what to do
	case e.Status == http.StatusUnauthorized:
		return cli.Hint(&e, "give the API key with --token-file, MUNIMENT_TOKEN or --token; "+
			"serve prints one the first time")
	case e.Retry:
		return cli.Hint(&e, "the same command may succeed later; request "+e.RequestID+" in the server's log says why")
	case e.Status >= http.StatusInternalServerError:
		return cli.Hint(&e, "look for request "+e.RequestID+" in the server's log")
	}
	return &e
}
