package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	seen := make([]bool, 100)
	r, err := measure(context.Background(), 1, limit{count: 100}, func(_ context.Context, n int) error {
		seen[n] = true
		return nil
	})
	if err != nil || len(r.took) != 100 {
		t.Fatalf("%d times, %v", len(r.took), err)
	}
	for n, s := range seen {
		if !s {
			t.Errorf("number %d was left out", n)
		}
	}
	failure := errors.New("no")
	if _, err := measure(context.Background(), 8, limit{time: time.Hour},
		func(context.Context, int) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v, want the work's", err)
	}
	if got := (rate{took: []time.Duration{1, 2, 3, 4, 5}}).percentile(50); got != 3 {
		t.Errorf("median %d, want 3", got)
	}
	if got := (rate{}).percentile(99); got != 0 {
		t.Errorf("percentile of nothing %d, want 0", got)
	}
}
