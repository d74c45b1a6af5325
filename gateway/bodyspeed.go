package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"muniment/gateway/problem"
)

// body reads a request's body: no more than it may have, and no slower than it must. The time that the server takes
// between reads is not held against the client.
type body struct {
	from    io.Reader
	control *http.ResponseController
	pace    pace
	limit   int64 // bytes
	// trailer is where the server puts the fields that follow the body, once it has ended; nil: they are not looked at.
	trailer *http.Header

	read int64
	// begin is called before the first byte is read, and what it returns when the body has been read to its end, or
	// when the server reads no more of it; may be nil.
	begin func() (done func(), err error)
	done  func()
	// failure is the client's mistake. It is the answer, also when the vault reports a failure that follows from it.
	failure *problem.Problem
}

func newBody(w http.ResponseWriter, from io.Reader, limit int64, least MinSpeed) *body {
	return &body{from: from, control: http.NewResponseController(w), pace: pace{least: least}, limit: limit}
}

// Read implements io.Reader.
func (u *body) Read(p []byte) (int, error) {
	if u.failure != nil {
		return 0, u.failure
	}
	if err := u.start(); err != nil {
		return 0, err
	}
	if room := u.limit - u.read + 1; int64(len(p)) > room {
		p = p[:room]
	}
	begun := time.Now()
	// A writer without deadlines, as in tests, has none: that is no reason to fail.
	_ = u.control.SetReadDeadline(begun.Add(u.pace.left()))
	n, err := u.from.Read(p)
	u.pace.moved(n, time.Since(begun))
	u.read += int64(n)
	if err != nil {
		// The deadline would otherwise strike while the server works on its answer, and cancel that.
		_ = u.control.SetReadDeadline(time.Time{})
		u.end()
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

// start begins the reading.
func (u *body) start() error {
	if u.begin == nil {
		return nil
	}
	done, err := u.begin()
	if err != nil {
		u.failure = problem.Of(err)
		return u.failure
	}
	u.begin, u.done = nil, done
	return nil
}

// end says that no more is read.
func (u *body) end() {
	if u.done != nil {
		u.done()
		u.done = nil
	}
}

// failureOr returns the client's failure if there was one, since err follows from it, or else err.
func (u *body) failureOr(err error) error {
	if err != nil && u.failure != nil {
		u.failure.Cause = nil
		return u.failure
	}
	return err
}

// MinSpeed is how slow a client may be.
type MinSpeed struct {
	// Stall is how long a client may send, or take, nothing at all.
	Stall time.Duration
	// Rate is the least number of bytes a second that it must send, or take, on average over any time that is longer
	// than a Stall.
	Rate int64
}

// pace is how much of a Stall a client has used up. It uses it up while it is waited for, and earns it back with each
// byte, but never more than that: who has sent a gigabyte may stall for no longer than who has sent nothing.
type pace struct {
	least MinSpeed
	spent time.Duration
}

// left is how long the client may be waited for.
func (p *pace) left() time.Duration { return max(0, p.least.Stall-p.spent) }

// moved notes that so many bytes have come or gone after the client was waited for.
func (p *pace) moved(bytes int, waited time.Duration) {
	earned := time.Duration(float64(bytes) / float64(p.least.Rate) * float64(time.Second))
	p.spent = max(0, p.spent+waited-earned)
}
