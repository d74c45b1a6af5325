package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Waits between attempts: doubling from the first to the longest, each drawn from its upper half, so that clients that
// failed together do not come back together.
const (
	firstWait   = 50 * time.Millisecond
	longestWait = 5 * time.Second
	// longestAfter bounds what a store may ask for by Retry-After: MinIO asks for a minute when it needs a second.
	longestAfter = 15 * time.Second
)

// do makes a request until it succeeds, fails for good, or has failed for Config.RetryTime. The request must be one
// that can be repeated.
func (s *Store) do(ctx context.Context, request func(a *attempt) error) error {
	return s.doWithin(ctx, s.cfg.RetryTime, request)
}

func (s *Store) doWithin(ctx context.Context, retryTime time.Duration, request func(a *attempt) error) error {
	var deadline time.Time
	for n := 0; ; n++ {
		after, err := s.once(ctx, request)
		if n == 0 {
			deadline = time.Now().Add(retryTime)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		if !again(err) {
			return classify(err)
		}
		wait := max(s.backoff(n), min(after, longestAfter))
		if time.Until(deadline) < wait {
			return fmt.Errorf("%w (attempt %d, the last)", classify(err), n+1)
		}
		if !sleep(ctx, wait) {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// once makes a request once, and says how long the store asks to be left alone.
func (s *Store) once(ctx context.Context, request func(a *attempt) error) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	a := s.begin(ctx)
	err := a.cause(request(a))
	if err != nil || !a.kept {
		a.end()
	}
	if answer, ok := answered(err); ok {
		if answer.Code == codeExpired {
			s.creds.Expire()
		}
		err = answer
	}
	return a.retryAfter, err
}

// again says whether the failure of a request may be over soon. Transport errors are tried again, except those of
// certificates and credentials.
func again(err error) bool {
	var answer reply
	var body bodyError
	var untrusted *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &answer):
		return answer.retryable()
	case errors.As(err, &body), errors.As(err, &untrusted), errors.As(err, &authority), errors.Is(err, errCredentials),
		isSentinel(err):
		return false
	}
	return true
}

// backoff is how long to wait after attempt n, counted from 0.
func (s *Store) backoff(n int) time.Duration {
	wait := longestWait
	if n < 7 {
		wait = min(firstWait<<n, longestWait)
	}
	var raw [8]byte
	if _, err := io.ReadFull(s.cfg.Rand, raw[:]); err != nil {
		return wait
	}
	return wait/2 + time.Duration(binary.BigEndian.Uint64(raw[:])%uint64(wait/2))
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
