package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// milliseconds is a duration as a number.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// digits writes three significant digits, and whole numbers from a hundred on.
func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// rate is how often something was done, and how long it took each time.
type rate struct {
	took    []time.Duration // sorted
	elapsed time.Duration
}

func (r rate) percentile(p int) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	return r.took[(len(r.took)-1)*p/100]
}

// limit ends a measurement after a time or, if it is above 0, a number of repetitions.
type limit struct {
	time  time.Duration
	count int
}

// measure lets workers do work until the limit. work is given a number that is different each time, from 0.
func measure(ctx context.Context, workers int, until limit, work func(ctx context.Context, n int) error) (rate, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu   sync.Mutex
		next int
		all  rate
		wg   sync.WaitGroup
	)
	began := time.Now()
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		over := until.count > 0 && next >= until.count || until.count == 0 && time.Since(began) >= until.time
		if ctx.Err() != nil || over {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range workers {
		wg.Go(func() {
			var took []time.Duration
			for n, ok := take(); ok; n, ok = take() {
				start := time.Now()
				if err := work(ctx, n); err != nil {
					cancel(err)
					return
				}
				took = append(took, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			all.took = append(all.took, took...)
		})
	}
	wg.Wait()
	all.elapsed = time.Since(began)
	slices.Sort(all.took)
	return all, context.Cause(ctx)
}
