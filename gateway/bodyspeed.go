package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"muniment/gateway/problem"
)

// MinSpeed is how slow a client may be.
type MinSpeed struct {
	// Stall is how long a client may send, or take, nothing at all.
	Stall time.Duration
	// Rate is the least number of bytes a second that it must send on average, after a first Stall.
	Rate int64
}

// body reads a request's body: no more than it may have, and no slower than it must. The time that the server takes
// between reads is not held against the client.
type body struct {
	from    io.Reader
	control *http.ResponseController
	least   MinSpeed
	limit   int64 // bytes
	// trailer is where the server puts the fields that follow the body, once it has ended; nil: they are not looked at.
	trailer *http.Header

	read   int64
	waited time.Duration // for the client
	// failure is the client's mistake. It is the answer, also when the vault reports a failure that follows from it.
	failure *problem.Problem
}

func newBody(w http.ResponseWriter, from io.Reader, limit int64, least MinSpeed) *body {
	return &body{from: from, control: http.NewResponseController(w), least: least, limit: limit}
}

// Read implements io.Reader.
func (u *body) Read(p []byte) (int, error) {
	if u.failure != nil {
		return 0, u.failure
	}
	if room := u.limit - u.read + 1; int64(len(p)) > room {
		p = p[:room]
	}
	begun := time.Now()
	// A writer without deadlines, as in tests, has none: that is no reason to fail.
	_ = u.control.SetReadDeadline(begun.Add(u.budget()))
	n, err := u.from.Read(p)
	u.waited += time.Since(begun)
	u.read += int64(n)
	if err != nil {
		// The deadline would otherwise strike while the server works on its answer, and cancel that.
		_ = u.control.SetReadDeadline(time.Time{})
	}
	switch {
	case u.read > u.limit:
		u.failure = problem.New(problem.TooLarge, "")
	case errors.Is(err, os.ErrDeadlineExceeded):
		u.failure = problem.New(problem.TooSlow, "")
	case err != nil && err != io.EOF:
		u.failure = problem.New(problem.Interrupted, "")
	case err == io.EOF && u.trailer != nil && len(*u.trailer) > 0:
		u.failure = problem.New(problem.BadDigest, trailersUnchecked)
	default:
		return n, err
	}
	return 0, u.failure
}

// budget is how long the client may take over the next read.
func (u *body) budget() time.Duration {
	earned := time.Duration(float64(u.read) / float64(u.least.Rate) * float64(time.Second))
	return max(0, min(u.least.Stall, u.least.Stall+earned-u.waited))
}

// failureOr returns the client's failure if there was one, since err follows from it, or else err.
func (u *body) failureOr(err error) error {
	if err != nil && u.failure != nil {
		u.failure.Cause = nil
		return u.failure
	}
	return err
}
