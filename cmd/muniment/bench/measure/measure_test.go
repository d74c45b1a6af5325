package measure

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	seen := make([]bool, 100)
	r, err := Repeat(context.Background(), 1, Limit{Count: 100}, func(_ context.Context, n int) error {
		seen[n] = true
		return nil
	})
	if err != nil || len(r.Took) != 100 {
		t.Fatalf("%d times, %v", len(r.Took), err)
	}
	for n, s := range seen {
		if !s {
			t.Errorf("number %d was left out", n)
		}
	}
	failure := errors.New("no")
	if _, err := Repeat(context.Background(), 8, Limit{Time: time.Hour},
		func(context.Context, int) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v, want the work's", err)
	}
	if got := (Rate{Took: []time.Duration{1, 2, 3, 4, 5}}).Percentile(50); got != 3 {
		t.Errorf("median %d, want 3", got)
	}
	if got := (Rate{}).Percentile(99); got != 0 {
		t.Errorf("percentile of nothing %d, want 0", got)
	}
}

func TestProcessorTime(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	began, err := ProcessorTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for sum := byte(0); ; sum++ { // it grows when the processor works
		_ = sha256.Sum256([]byte{sum})
		now, err := ProcessorTime(os.Getpid())
		if err != nil || now < began {
			t.Fatalf("%s after %s, %v", now, began, err)
		}
		if now > began {
			break
		}
	}
	if _, err := ProcessorTime(-1); err == nil {
		t.Error("no process has a processor time")
	}
}
