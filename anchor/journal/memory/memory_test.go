package memory_test

import (
	"context"
	"errors"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/backendtest"
	"muniment/anchor/journal/memory"
)

var table = journal.Table{Kind: journal.Projection, Name: "rows"}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]memory.Config{
		"without retries": {},
		"with retries":    {Abort: func(run int) bool { return run < 3 }},
	} {
		t.Run(name, func(t *testing.T) {
			again := func(_ *testing.T, b journal.Backend) journal.Backend { return b.(*memory.Store).Reopen(config) }
			backendtest.Run(t, func(*testing.T) journal.Backend { return memory.New(config) }, backendtest.Options{
				Reopen: func(t *testing.T, b journal.Backend) journal.Backend {
					if err := b.Close(); err != nil {
						t.Fatal(err)
					}
					return again(t, b)
				},
				Second: again,
			})
		})
	}
}

// get reads a row; "" if there is none.
func get(t *testing.T, s *memory.Store, key string) (value string) {
	t.Helper()
	err := s.View(context.Background(), func(r journal.Reader) error {
		got, err := r.Get(table, []byte(key))
		value = string(got)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func put(s *memory.Store, key string) error {
	return s.Update(context.Background(), func(x journal.Txn) error { return x.Put(table, []byte(key), []byte("v")) })
}

func TestAbortedRunsLeaveNothing(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	s := memory.New(memory.Config{Abort: func(run int) bool { return run <= 2 }})
	runs := 0
	err := s.Update(context.Background(), func(x journal.Txn) error {
		runs++
		if got, err := x.Get(table, []byte("a")); got != nil || err != nil {
			t.Errorf("run %d sees the row of an aborted one (%v)", runs, err)
		}
		if runs == 3 {
			return x.Put(table, []byte("b"), []byte("v"))
		}
		if err := x.Put(table, []byte("a"), []byte("v")); err != nil {
			return err
		}
		if runs == 2 {
			return refused // which the abort overtakes
		}
		return nil
	})
	if err != nil || runs != 3 {
		t.Fatalf("Update: %v after %d runs, want 3", err, runs)
	}
	if a, b := get(t, s, "a"), get(t, s, "b"); a != "" || b != "v" {
		t.Errorf("a is %q, b is %q; want the last run's alone", a, b)
	}
}

// TestOthersComeBetweenRuns commits another transaction between two runs, which the second then sees.
func TestOthersComeBetweenRuns(t *testing.T) {
	t.Parallel()
	var s, other *memory.Store
	var seen []string
	between := make(chan struct{})
	go func() {
		defer close(between)
		<-between // the first run is under way: this waits for its end
		if err := put(other, "other"); err != nil {
			t.Error(err)
		}
	}()
	s = memory.New(memory.Config{Abort: func(int) bool { return len(seen) == 0 || seen[len(seen)-1] == "" }})
	other = s.Reopen(memory.Config{})
	err := s.Update(context.Background(), func(x journal.Txn) error {
		if len(seen) == 0 {
			between <- struct{}{}
		}
		got, err := x.Get(table, []byte("other"))
		seen = append(seen, string(got))
		return err
	})
	<-between
	if err != nil || len(seen) < 2 || seen[0] != "" || seen[len(seen)-1] != "v" {
		t.Errorf("the runs saw %q, %v; want the other's row from the second on", seen, err)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	outcomes := []memory.Outcome{memory.Done, memory.Full, memory.Lost, memory.Kept, memory.Done}
	s := memory.New(memory.Config{Commit: func(n int) memory.Outcome { return outcomes[n-1] }})
	for i, want := range []struct {
		err   error
		value string
	}{{nil, "v"}, {journal.ErrFull, ""}, {journal.ErrUnknown, ""}, {journal.ErrUnknown, "v"}, {nil, "v"}} {
		key := string(rune('a' + i))
		if err := put(s, key); !errors.Is(err, want.err) {
			t.Errorf("commit %d: %v, want %v", i+1, err, want.err)
		}
		if got := get(t, s, key); got != want.value {
			t.Errorf("after commit %d its row is %q, want %q", i+1, got, want.value)
		}
	}
}

// TestKeptSlicesAreSpoiled keeps what may not be kept.
func TestKeptSlicesAreSpoiled(t *testing.T) {
	t.Parallel()
	s := memory.New(memory.Config{})
	if err := put(s, "key"); err != nil {
		t.Fatal(err)
	}
	var kept journal.Reader
	var value, scannedKey, scannedValue []byte
	err := s.View(context.Background(), func(r journal.Reader) (err error) {
		kept = r
		if value, err = r.Get(table, []byte("key")); err != nil {
			return err
		}
		err = r.Scan(table, journal.Range{}, func(k, v []byte) error {
			scannedKey, scannedValue = k, v
			return nil
		})
		if string(scannedKey) == "key" || string(scannedValue) == "v" {
			t.Error("what a scan's callback was given can still be read after it")
		}
		if string(value) != "v" {
			t.Error("what Get returned cannot be read in the same view")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(value) == "v" {
		t.Error("what Get returned can still be read after the view")
	}
	if _, err := kept.Get(table, []byte("key")); err == nil {
		t.Error("the reader can be used after the view")
	}
	if got := get(t, s, "key"); got != "v" {
		t.Errorf("the row itself is %q", got)
	}
}
