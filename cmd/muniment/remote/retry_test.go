package remote

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestRetries counts pauses on a clock of its own: they double, are drawn from their upper half, wait for what the
// server asks, and end in time.
func TestRetries(t *testing.T) {
	t.Parallel()
	gone := &url.Error{Op: "Post", URL: "http://x", Err: errors.New("connection refused")}
	busy := &ProblemError{after: 7 * time.Second}
	busy.Retry, busy.Status = true, 429
	for name, c := range map[string]struct {
		err    error
		jitter float64
		within time.Duration
		want   []time.Duration
	}{
		"never":     {gone, 0, 0, nil},
		"least":     {gone, 0, 4 * time.Second, []time.Duration{125e6, 250e6, 500e6, 1e9, 2e9}},
		"most":      {gone, 1, 4 * time.Second, []time.Duration{250e6, 500e6, 1e9, 2e9}},
		"asked":     {busy, 1, 16 * time.Second, []time.Duration{7250e6, 7500e6}},
		"hopeless":  {errors.New("other"), 0, time.Hour, nil},
		"cancelled": {context.Canceled, 0, time.Hour, nil},
		"file":      {&SourceError{Err: gone}, 0, time.Hour, nil},
	} {
		now, attempts := time.Unix(0, 0), 0
		var pauses []time.Duration
		r := Retries{
			within: c.within, now: func() time.Time { return now }, jitter: func() float64 { return c.jitter },
			wait: func(_ context.Context, pause time.Duration) error {
				pauses = append(pauses, pause)
				now = now.Add(pause)
				return nil
			},
		}
		err := r.Do(t.Context(), func() error { attempts++; return c.err })
		if !errors.Is(err, c.err) || attempts != len(pauses)+1 || len(pauses) != len(c.want) {
			t.Errorf("%s: %v after %d attempts with the pauses %v, want %v", name, err, attempts, pauses, c.want)
			continue
		}
		for i, pause := range pauses {
			if pause != c.want[i] {
				t.Errorf("%s: pause %d is %s, want %s", name, i, pause, c.want[i])
			}
		}
	}
}

func TestFractions(t *testing.T) {
	t.Parallel()
	for random, want := range map[string]float64{"\x00\x00\x00\x00": 0, "\xff\xff\xff\xff": 1, "": 1} {
		if got := fraction(strings.NewReader(random)); got != want {
			t.Errorf("%q gives %v, want %v", random, got, want)
		}
	}
}

// TestRetriesEndWithTheContext: whoever interrupts does not wait for a pause to end.
func TestRetriesEndWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	err := NewRetries(time.Hour).Do(ctx, func() error {
		attempts++
		time.AfterFunc(time.Millisecond, cancel)
		return &foreignError{status: 503, after: time.Hour / 2}
	})
	if err == nil || attempts != 1 {
		t.Errorf("%v after %d attempts", err, attempts)
	}
}
