package gateway_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"muniment/gateway"
)

// timed is a body that comes, or a client that takes, so many bytes at a time. Each comes after a while, and no later
// than the deadline allows.
type timed struct {
	http.ResponseWriter
	after    time.Duration
	deadline time.Time
}

func (s *timed) SetReadDeadline(at time.Time) error  { s.deadline = at; return nil }
func (s *timed) SetWriteDeadline(at time.Time) error { s.deadline = at; return nil }

func (s *timed) wait() error {
	if left := time.Until(s.deadline); left < s.after {
		time.Sleep(left)
		return os.ErrDeadlineExceeded
	}
	time.Sleep(s.after)
	return nil
}

func (s *timed) Read(p []byte) (int, error) {
	if err := s.wait(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *timed) Write(p []byte) (int, error) {
	if err := s.wait(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// minute is a pace at which a client may stall for a minute, and must send a byte a second.
var minute = gateway.MinSpeed{Stall: time.Minute, Rate: 1}

// TestCreditIsBounded: a client that has sent, or taken, a gigabyte may stall for no longer than one that has sent
// nothing, however it spreads what it sends.
func TestCreditIsBounded(t *testing.T) {
	t.Parallel()
	for name, trickle := range map[string]struct {
		after time.Duration
		bytes int
		most  time.Duration
	}{
		"silence":                     {time.Hour, 1, time.Minute},
		"a byte each 8 seconds":       {8 * time.Second, 1, 69 * time.Second},
		"less than the rate":          {10 * time.Second, 9, 11 * time.Minute},
		"the rate, after one stalled": {30 * time.Second, 30, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				line := &timed{ResponseWriter: httptest.NewRecorder()}
				body := gateway.NewBody(line, line, 1<<40, minute)
				answer := gateway.NewAnswer(line, minute)
				for way, move := range map[string]func(n int) error{
					"sending": func(n int) error { _, err := body.Read(make([]byte, n)); return err },
					"taking":  func(n int) error { _, err := answer.Write(make([]byte, n)); return err },
				} {
					line.after = 0
					for range 1 << 10 {
						if err := move(1 << 16); err != nil {
							t.Fatal(err)
						}
					}
					line.after = trickle.after
					begun := time.Now()
					var err error
					for err == nil && time.Since(begun) < time.Hour {
						err = move(trickle.bytes)
					}
					took := time.Since(begun)
					if trickle.most == 0 && err != nil {
						t.Errorf("%s at the rate was ended after %v: %v", way, took, err)
					}
					if trickle.most > 0 && (err == nil || took > trickle.most) {
						t.Errorf("%s too slowly went on for %v: %v", way, took, err)
					}
					if way == "sending" && err != nil && !errors.Is(err, os.ErrDeadlineExceeded) &&
						err.Error() != "too-slow: " {
						t.Errorf("it ended by %v", err)
					}
				}
			})
		})
	}
}
