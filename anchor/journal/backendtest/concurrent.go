package backendtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
)

func testSnapshots(s *store) {
	s.put(alpha, row{"a", "1"}, row{"b", "2"})
	s.view(func(r journal.Reader) error {
		before, err := scan(r, alpha, journal.Range{})
		if err != nil {
			return err
		}
		s.async(func() {
			s.put(alpha, row{"a", "other"}, row{"c", "3"})
			s.update(func(x journal.Txn) error { return x.Delete(alpha, []byte("b")) })
		})
		after, err := scan(r, alpha, journal.Range{})
		if d := diff.Diff(before, after); d != "" {
			s.t.Errorf("the snapshot changed (-before +after):\n%s", d)
		}
		return errors.Join(err, want(r, alpha, "a", "1"), want(r, alpha, "b", "2"), want(r, alpha, "c", ""))
	})
	if d := diff.Diff([]row{{"a", "other"}, {"c", "3"}}, s.rows(alpha)); d != "" {
		s.t.Errorf("a later view (-want +got):\n%s", d)
	}
}

// async runs fn in a goroutine of its own, as another user of the backend, and waits for it.
func (s *store) async(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}

// testViewBesideUpdate reads while an Update is half done: the view must neither wait for it nor see its rows.
func testViewBesideUpdate(s *store) {
	s.put(alpha, row{"a", "1"})
	s.update(func(x journal.Txn) error {
		if err := x.Put(alpha, []byte("a"), []byte("2")); err != nil {
			return err
		}
		s.async(func() { s.view(func(r journal.Reader) error { return want(r, alpha, "a", "1") }) })
		return nil
	})
	s.view(func(r journal.Reader) error { return want(r, alpha, "a", "2") })
}

const (
	writers = 8
	counts  = 25
)

var counter = []byte("counter")

// count adds one to the counter, and writes down who did it.
func count(b journal.Backend, who byte) error {
	return b.Update(context.Background(), func(x journal.Txn) error {
		old, err := x.Get(alpha, counter)
		if err != nil {
			return err
		}
		n := uint64(1)
		if old != nil {
			n = binary.BigEndian.Uint64(old) + 1
		}
		next := binary.BigEndian.AppendUint64(nil, n)
		return errors.Join(x.Put(alpha, counter, next), x.Put(beta, next, []byte{who}))
	})
}

// compete lets writers count in turns on the handles, while a reader of each looks for a state between two
// transactions.
func (s *store) compete(handles ...journal.Backend) {
	s.t.Helper()
	var writing, reading sync.WaitGroup
	stop := make(chan struct{})
	for _, h := range handles {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := h.View(context.Background(), isConsistent); err != nil {
					s.t.Errorf("View: %v", err)
					return
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for range counts {
				if err := count(handles[w%len(handles)], byte(w+1)); err != nil {
					s.t.Errorf("Update: %v", err)
					return
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	s.view(func(r journal.Reader) error {
		rows, err := scan(r, beta, journal.Range{})
		if len(rows) != writers*counts {
			s.t.Errorf("%d counts are on record, want %d", len(rows), writers*counts)
		}
		return errors.Join(err, want(r, alpha, string(counter),
			string(binary.BigEndian.AppendUint64(nil, writers*counts))))
	})
}

func isConsistent(r journal.Reader) error {
	value, err := r.Get(alpha, counter)
	if err != nil {
		return err
	}
	var last []byte
	err = r.Scan(beta, journal.Range{Reverse: true}, func(key, _ []byte) error {
		last = append(last, key...)
		return journal.Stop
	})
	if string(last) != string(value) {
		return fmt.Errorf("the counter is %x, and the last count on record %x", value, last)
	}
	return err
}

func testSerialized(s *store) { s.compete(s.b) }

func testTwoHandles(s *store, second func(*testing.T, journal.Backend) journal.Backend) {
	if second == nil {
		s.t.Skip("this backend's store has one handle at a time")
	}
	other := second(s.t, s.b)
	defer other.Close()
	s.compete(s.b, other)
}

func testReopened(s *store, reopen func(*testing.T, journal.Backend) journal.Backend) {
	if reopen == nil {
		s.t.Skip("this backend's rows end with it")
	}
	rows := []row{{"a", "1"}, {"b", "2"}}
	s.put(alpha, rows...)
	s.put(beta, row{"gone", "1"})
	s.update(func(x journal.Txn) error { return x.Delete(beta, []byte("gone")) })
	err := s.b.Update(context.Background(), func(x journal.Txn) error {
		return errors.Join(x.Put(alpha, []byte("c"), []byte("aborted")), errRefused)
	})
	if !errors.Is(err, errRefused) {
		s.t.Fatalf("Update: %v", err)
	}
	s.t.Cleanup(func() { s.b.Close() })
	for range 2 {
		s.b = reopen(s.t, s.b)
		if d := diff.Diff(rows, s.rows(alpha)); d != "" {
			s.t.Errorf("after opening it again (-want +got):\n%s", d)
		}
		if got := s.rows(beta); got != nil {
			s.t.Errorf("after opening it again, deleted rows: %v", got)
		}
	}
	s.put(alpha, row{"d", "4"})
}

func testCancelledBefore(s *store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	never := func() error { s.t.Error("fn was called although the context had ended"); return nil }
	errView := s.b.View(ctx, func(journal.Reader) error { return never() })
	errUpdate := s.b.Update(ctx, func(journal.Txn) error { return never() })
	if !errors.Is(errView, context.Canceled) || !errors.Is(errUpdate, context.Canceled) {
		s.t.Errorf("View: %v, Update: %v; want context.Canceled", errView, errUpdate)
	}
}

// testCancelledWaiting cancels an Update that waits for another.
func testCancelledWaiting(s *store) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.update(func(x journal.Txn) error {
		waiting := make(chan error)
		go func() {
			waiting <- s.b.Update(ctx, func(y journal.Txn) error { return y.Put(alpha, []byte("b"), []byte("2")) })
		}()
		cancel()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			s.t.Errorf("an Update whose context ended while it waited: %v, want context.Canceled", err)
		}
		return x.Put(alpha, []byte("a"), []byte("1"))
	})
	if d := diff.Diff([]row{{"a", "1"}}, s.rows(alpha)); d != "" {
		s.t.Errorf("rows (-want +got):\n%s", d)
	}
}
