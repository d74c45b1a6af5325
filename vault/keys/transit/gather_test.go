package transit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// echo answers each item with itself, after a while, and notes how large the batches were.
type echo struct {
	mu      sync.Mutex
	batches []int
	now     map[string]int // under way, by tenant
	fail    error
	out     [][]byte // what it has given as secrets
}

func (e *echo) run(ctx context.Context, tenant string, items [][]byte) ([]outcome, error) {
	e.mu.Lock()
	e.batches = append(e.batches, len(items))
	e.now[tenant]++
	if e.now[tenant] > 1 {
		panic("two requests for a tenant are under way")
	}
	e.mu.Unlock()
	select {
	case <-time.After(time.Millisecond):
	case <-ctx.Done():
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now[tenant]--
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if e.fail != nil {
		return nil, e.fail
	}
	out := make([]outcome, len(items))
	for i, item := range items {
		out[i].secret = append([]byte(nil), item...)
		e.out = append(e.out, out[i].secret)
	}
	return out, nil
}

func newEcho(t *testing.T) (*echo, *gather) {
	t.Helper()
	e := &echo{now: map[string]int{}}
	return e, newGather(t.Context(), time.Minute, e.run)
}

func item(size, n int) []byte {
	b := fmt.Appendf(make([]byte, 0, size+20), "%d.", n)
	return append(b, make([]byte, size)...)
}

func TestGatherGivesEachItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, g := newEcho(t)
		var wg sync.WaitGroup
		total := 0
		for caller := range 200 {
			n := rand.IntN(30)
			total += n
			wg.Go(func() {
				time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
				items, want := make([][]byte, n), make([]string, n)
				for i := range items {
					items[i] = item(rand.IntN(100), 1000*caller+i)
					want[i] = string(items[i])
				}
				out, err := g.do(t.Context(), fmt.Sprint(caller%3), items)
				if err != nil || len(out) != n {
					t.Errorf("%d results for %d, %v", len(out), n, err)
					return
				}
				for i, o := range out {
					if string(o.secret) != want[i] {
						t.Errorf("caller %d was given %q for %q", caller, o.secret, want[i])
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if len(e.batches) > 30 || len(g.lines) > 0 {
			t.Errorf("%d items made for %d requests, and %d lines are open", total, len(e.batches), len(g.lines))
		}
	})
}

func TestGatherKeepsToItsBounds(t *testing.T) {
	for _, test := range []struct{ items, size, batches int }{
		{0, 1, 0}, {1, 1, 1}, {maxItems, 1, 1}, {maxItems + 1, 1, 2}, {3*maxItems + 5, 1, 4}, {4, maxBytes / 2, 4},
		{3, maxBytes / 4, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			e, g := newEcho(t)
			items := make([][]byte, test.items)
			for i := range items {
				items[i] = item(test.size, i)
			}
			out, err := g.do(t.Context(), "a", items)
			if err != nil || len(out) != test.items || len(e.batches) != test.batches {
				t.Errorf("%d items of %d bytes: %d results in %d requests, %v",
					test.items, test.size, len(out), len(e.batches), err)
			}
		})
	}
}

// The bounds hold for what several callers bring, too.
func TestGatherSplitsACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, g := newEcho(t)
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				items := make([][]byte, 100)
				for i := range items {
					items[i] = item(1, i)
				}
				if _, err := g.do(t.Context(), "a", items); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, n := range e.batches {
			if n > maxItems {
				t.Errorf("a request had %d items", n)
			}
		}
		if len(e.batches) > 5 {
			t.Errorf("there were %d requests, want 4", len(e.batches))
		}
	})
}

func TestGatherErrorIsEverybodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, g := newEcho(t)
		e.fail = errors.New("down")
		for range 3 {
			if out, err := g.do(t.Context(), "a", [][]byte{item(1, 1)}); !errors.Is(err, e.fail) || out != nil {
				t.Errorf("%v, %v", out, err)
			}
		}
	})
}

// Nothing that was handed in or given out to nobody is left in memory.
func TestGatherOverwrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, g := newEcho(t)
		stays, leaves, late := item(10, 1), item(10, 2), item(10, 3)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := g.do(t.Context(), "a", [][]byte{stays}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // the first request is under way
		for _, b := range [][]byte{leaves, late} {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				if _, err := g.do(ctx, "a", [][]byte{b}); !errors.Is(err, context.Canceled) {
					t.Errorf("one who left: %v", err)
				}
			})
			if &b[0] == &late[0] {
				time.AfterFunc(1500*time.Microsecond, cancel) // while its request is under way
			} else {
				cancel() // before that
			}
		}
		wg.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		for name, b := range map[string][]byte{"done": stays, "left": leaves, "left late": late} {
			if string(b) != string(make([]byte, len(b))) {
				t.Errorf("%s: %q is still there", name, b)
			}
		}
		if len(e.out) != 2 || string(e.out[1]) != string(make([]byte, len(e.out[1]))) {
			t.Errorf("what was given to one who had left: %q", e.out)
		}
	})
}

// A request ends by its own bound, whatever its callers' contexts say.
func TestGatherBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGather(t.Context(), time.Minute, func(ctx context.Context, _ string, _ [][]byte) ([]outcome, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		begin := time.Now()
		_, err := g.do(t.Context(), "a", [][]byte{item(1, 1)})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}
