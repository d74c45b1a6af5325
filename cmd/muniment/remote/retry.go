package remote

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"

	"muniment/cmd/muniment/cli"
)

// Pauses between attempts, where the server does not say how long to wait.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 15 * time.Second
)

// Retries repeats requests that may succeed later.
type Retries struct {
	within time.Duration // since the first failure; 0 for never
	now    func() time.Time
	wait   func(context.Context, time.Duration) error
	jitter func() float64 // from 0 to 1
}

// NewRetries repeats requests for as long after the first failure; 0 for never.
func NewRetries(within time.Duration) Retries {
	wait := func(ctx context.Context, pause time.Duration) error {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return Retries{within: within, now: time.Now, wait: wait, jitter: func() float64 { return fraction(rand.Reader) }}
}

// fraction draws a number from 0 to 1.
func fraction(random io.Reader) float64 {
	var raw [4]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return 1 // the longest pause, then
	}
	return float64(binary.BigEndian.Uint32(raw[:])) / math.MaxUint32
}

// ExhaustedError says that a request was repeated for as long as it may be.
type ExhaustedError struct {
	err      error
	attempts int
}

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("%v (%s)", e.err, cli.Count(uint64(e.attempts), "attempt", "attempts"))
}
func (e *ExhaustedError) Unwrap() error { return e.err }

// Do does the work until it succeeds, fails for good, or has failed for too long. The pauses double and are drawn at
// random from their upper half, so that clients that were refused together do not come again together; a pause that the
// server asks for is kept in full.
func (r Retries) Do(ctx context.Context, work func() error) error {
	var until time.Time
	for attempt := 1; ; attempt++ {
		err := work()
		asked, again := mayHelp(err)
		if !again || ctx.Err() != nil {
			return err
		}
		if until.IsZero() {
			until = r.now().Add(r.within)
		}
		pause := min(firstPause<<min(attempt-1, 10), longestPause)
		pause = pause/2 + time.Duration(r.jitter()*float64(pause/2)) + asked
		if r.now().Add(pause).After(until) {
			return &ExhaustedError{err, attempt}
		}
		if r.wait(ctx, pause) != nil {
			return err
		}
	}
}

// mayHelp says whether the same request may succeed later, and how long the server asks to wait.
func mayHelp(err error) (asked time.Duration, again bool) {
	var (
		problem *ProblemError
		foreign *foreignError
		source  *SourceError
		call    *url.Error
	)
	switch {
	case err == nil, errors.As(err, &source), errors.Is(err, context.Canceled):
		return 0, false
	case errors.As(err, &problem):
		return problem.after, problem.Retry && problem.Status != http.StatusInsufficientStorage
	case errors.As(err, &foreign):
		switch foreign.status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
			http.StatusGatewayTimeout:
			return foreign.after, true
		}
		return 0, false
	}
	return 0, errors.As(err, &call)
}

// SourceError says that what was to be sent could not be read: no repetition helps.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return "reading the file: " + e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }
