package budget_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muniment/vault/budget"
)

// system is the clock of the bubble that a test runs in.
type system struct{}

func (system) Now() time.Time { return time.Now() }

// size is chosen so that there are 300 bytes for parts, of which one owner may have 200.
const size = 800

func take(t *testing.T, m *budget.Memory, owner string, n int64) *budget.Grant {
	t.Helper()
	g, err := m.Take(t.Context(), owner, budget.Parts, n)
	if err != nil {
		t.Fatalf("%s asks for %d bytes: %v", owner, n, err)
	}
	return g
}

// TestOneOwnerLeavesARest: an owner has two thirds of a use, and another the rest; each use has its own.
func TestOneOwnerLeavesARest(t *testing.T) {
	t.Parallel()
	m := budget.New(size, 0, system{})
	take(t, m, "a", 200)
	if _, ok := m.Try("a", budget.Parts, 1); ok {
		t.Error("an owner has more than two thirds")
	}
	take(t, m, "b", 100)
	if _, ok := m.Try("c", budget.Parts, 1); ok {
		t.Error("there is more than there is")
	}
	if _, ok := m.Try("a", budget.Work, 200); !ok {
		t.Error("one use takes another's memory")
	}
	if _, err := m.Take(t.Context(), "d", budget.Parts, 201); !errors.Is(err, budget.ErrTooMuch) {
		t.Errorf("more than there can ever be: %v", err)
	}
}

// TestNobodyWaitsForEver: who gets nothing in time is refused, and leaves no trace.
func TestNobodyWaitsForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := budget.New(size, time.Minute, system{})
		held := take(t, m, "a", 200)
		take(t, m, "b", 100)
		begun := time.Now()
		if _, err := m.Take(t.Context(), "c", budget.Parts, 10); !errors.Is(err, budget.ErrShort) {
			t.Errorf("without memory: %v", err)
		}
		if waited := time.Since(begun); waited != time.Minute {
			t.Errorf("it waited for %v", waited)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("the client has gone")
		go cancel(gone)
		if _, err := m.Take(ctx, "c", budget.Parts, 10); !errors.Is(err, gone) {
			t.Errorf("a client that has gone: %v", err)
		}
		held.Free()
		held.Free()
		if n := m.Held(budget.Parts); n != 100 {
			t.Errorf("%d bytes are held, want 100", n)
		}
	})
}

// TestLeastHeldComesFirst: an owner that holds much does not come before one that holds little, nor a small request
// before a large one whose turn it is.
func TestLeastHeldComesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := budget.New(size, time.Minute, system{})
		take(t, m, "a", 40)
		first, second := take(t, m, "a", 60), take(t, m, "b", 150)
		take(t, m, "c", 50)
		got := map[string]bool{}
		var mu sync.Mutex
		ask := func(owner string, n int64) {
			go func() {
				_, err := m.Take(t.Context(), owner, budget.Parts, n)
				mu.Lock()
				defer mu.Unlock()
				got[owner] = err == nil
			}()
			synctest.Wait()
		}
		ask("a", 30)
		ask("d", 120)
		ask("e", 80)
		first.Free()
		synctest.Wait()
		if len(got) != 0 {
			t.Fatalf("%v came before d, whose turn it was", got)
		}
		second.Free()
		synctest.Wait()
		if !got["d"] || !got["e"] || got["a"] {
			t.Errorf("%v were served, want d and e, of whom each held less than a", got)
		}
	})
}

// TestSlowHolderGivesUp: what is filled slowly is taken back for another owner, once for each who waits; what is full
// is not, nor what an owner that holds less has.
func TestSlowHolderGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := budget.New(size, time.Minute, system{})
		slow, slower, full := take(t, m, "a", 70), take(t, m, "a", 70), take(t, m, "a", 60)
		full.Filled()
		other := take(t, m, "b", 60)
		time.Sleep(time.Minute)
		if err := slow.Due(); err != nil {
			t.Errorf("nobody waits, and it says %v", err)
		}
		served := make(chan error)
		go func() {
			_, err := m.Take(t.Context(), "c", budget.Parts, 70)
			served <- err
		}()
		time.Sleep(10 * time.Second)
		if err := slow.Due(); err != nil {
			t.Errorf("somebody has just come, and it says %v", err)
		}
		time.Sleep(5 * time.Second)
		if err := errors.Join(full.Due(), other.Due()); err != nil {
			t.Errorf("one that is full, or of an owner that holds less: %v", err)
		}
		if err := slow.Due(); !errors.Is(err, budget.ErrSlow) {
			t.Errorf("a slow holder: %v", err)
		}
		if err := slower.Due(); err != nil {
			t.Errorf("a second holder gives up for one who waits: %v", err)
		}
		slow.Free()
		if err := <-served; err != nil {
			t.Errorf("who waited: %v", err)
		}
	})
}

// TestFastHolderKeepsItsMemory: who turns the memory over again and again keeps it, however long the whole takes; who
// does so a little too slowly gives it up.
func TestFastHolderKeepsItsMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := budget.New(size, time.Minute, system{})
		fast, slow, other := take(t, m, "a", 80), take(t, m, "a", 80), take(t, m, "b", 140)
		defer other.Free()
		for range 600 {
			fast.Moved(10)
			slow.Moved(1)
			time.Sleep(time.Second)
		}
		go func() { _, _ = m.Take(t.Context(), "c", budget.Parts, 70) }()
		time.Sleep(30 * time.Second)
		if err := fast.Due(); err != nil {
			t.Errorf("one that fills its memory every eight seconds: %v", err)
		}
		if err := slow.Due(); !errors.Is(err, budget.ErrSlow) {
			t.Errorf("one that takes eighty seconds: %v", err)
		}
	})
}

// TestOwnRequestsDoNotPushOneAnother: the requests of one owner wait for one another, or none would ever be whole.
func TestOwnRequestsDoNotPushOneAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := budget.New(size, time.Minute, system{})
		slow := take(t, m, "a", 150)
		time.Sleep(time.Hour)
		go func() { _, _ = m.Take(t.Context(), "a", budget.Parts, 100) }()
		time.Sleep(30 * time.Second)
		if err := slow.Due(); err != nil {
			t.Errorf("an owner's own request pushes: %v", err)
		}
	})
}

// TestEverybodyGetsThrough: many uploads that hold and wait, each in the order of the uses, all end; and at no time is
// more held than there is.
func TestEverybodyGetsThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := budget.New(size, time.Hour, system{})
		var wait sync.WaitGroup
		for i := range 200 {
			wait.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				owner := fmt.Sprint(random.IntN(5))
				work, err := m.Take(t.Context(), owner, budget.Work, 20)
				if err != nil {
					t.Error(err)
					return
				}
				defer work.Free()
				for range 10 {
					part, err := m.Take(t.Context(), owner, budget.Parts, 1+random.Int64N(200))
					if err != nil {
						t.Error(err)
						return
					}
					if n := m.Held(budget.Parts); n > 300 {
						t.Errorf("%d bytes are held", n)
					}
					time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
					part.Free()
				}
			})
		}
		wait.Wait()
		if m.Held(budget.Parts) != 0 || m.Held(budget.Work) != 0 {
			t.Error("something is held at the end")
		}
	})
}
