// Package measure says how often work can be done, how long each time takes, and how much memory a process has
// meanwhile.
package measure

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Milliseconds is a duration as a number.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Digits writes three significant digits, and whole numbers from a hundred on.
func Digits(v float64) string {
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

// Rate is how often something was done, and how long it took each time.
type Rate struct {
	Took    []time.Duration // sorted
	Elapsed time.Duration
}

// Percentile is the time that so many of a hundred took at most.
func (r Rate) Percentile(p int) time.Duration {
	if len(r.Took) == 0 {
		return 0
	}
	return r.Took[(len(r.Took)-1)*p/100]
}

// Limit ends a measurement after a time or, if Count is above 0, a number of repetitions.
type Limit struct {
	Time  time.Duration
	Count int
}

// Times ends a measurement after n repetitions.
func Times(n int) Limit { return Limit{Count: n} }

// For ends a measurement after a time.
func For(d time.Duration) Limit { return Limit{Time: d} }

// Repeat lets workers do work until the limit. work is given a number that is different each time, from 0.
func Repeat(ctx context.Context, workers int, until Limit, work func(ctx context.Context, n int) error) (Rate, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu   sync.Mutex
		next int
		all  Rate
		wg   sync.WaitGroup
	)
	began := time.Now()
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		over := until.Count > 0 && next >= until.Count || until.Count == 0 && time.Since(began) >= until.Time
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
			all.Took = append(all.Took, took...)
		})
	}
	wg.Wait()
	all.Elapsed = time.Since(began)
	slices.Sort(all.Took)
	return all, context.Cause(ctx)
}
