package backendtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	diff "github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
)

func testOwnWrites(s *store) {
	s.put(alpha, row{"a", "1"}, row{"b", "2"}, row{"c", "3"})
	s.update(func(x journal.Txn) error {
		err := errors.Join(
			x.Put(alpha, []byte("aa"), []byte("new")),
			x.Put(alpha, []byte("b"), []byte("other")),
			x.Delete(alpha, []byte("c")),
			x.Put(beta, []byte("d"), []byte("new")),
			x.Put(beta, []byte("e"), []byte("gone")),
			x.Delete(beta, []byte("e")),
			want(x, alpha, "aa", "new"), want(x, alpha, "b", "other"), want(x, alpha, "c", ""),
			want(x, beta, "d", "new"), want(x, beta, "e", ""))
		if err != nil {
			return err
		}
		wanted := []row{{"a", "1"}, {"aa", "new"}, {"b", "other"}}
		forward, err1 := scan(x, alpha, journal.Range{})
		backward, err2 := scan(x, alpha, journal.Range{Reverse: true})
		slices.Reverse(backward)
		if d := diff.Diff(wanted, forward) + diff.Diff(wanted, backward); d != "" {
			s.t.Errorf("a scan before the commit (-want +got):\n%s", d)
		}
		return errors.Join(err1, err2)
	})
}

// testDeleteWhileScanning deletes and rewrites rows that the scan has passed, as a sweep does: rows of earlier
// transactions, and rows of the same one.
func testDeleteWhileScanning(s *store) {
	const n = 1000
	fill := func(x journal.Txn) error {
		for i := range n {
			if err := putAll(x, alpha, row{fmt.Sprintf("%04d", i), strings.Repeat("v", 50)}); err != nil {
				return err
			}
		}
		return nil
	}
	sweep := func(x journal.Txn, reverse bool) (seen int, err error) {
		err = x.Scan(alpha, journal.Range{Reverse: reverse}, func(k, _ []byte) error {
			seen++
			own := slices.Clone(k)
			if seen%10 == 0 {
				return x.Put(alpha, own, []byte("kept"))
			}
			return x.Delete(alpha, own)
		})
		return seen, err
	}
	for i := range 4 {
		reverse, same := i%2 == 1, i/2 == 1
		seen := 0
		if !same {
			s.update(fill)
		}
		s.update(func(x journal.Txn) (err error) {
			if same {
				if err := fill(x); err != nil {
					return err
				}
			}
			seen, err = sweep(x, reverse)
			return err
		})
		if left := len(s.rows(alpha)); seen != n || left != n/10 {
			s.t.Errorf("reverse %v, in the same transaction %v: the scan saw %d rows, and %d are left; "+
				"want each of %d once, and %d",
				reverse, same, seen, left, n, n/10)
		}
	}
}

// fails checks that an Update that ends badly leaves the rows as they were, and the backend usable.
func (s *store) fails(update func(x journal.Txn, spoil func() error)) {
	s.t.Helper()
	s.put(alpha, row{"a", "1"}, row{"b", "2"})
	before := s.rows(alpha)
	done := make(chan struct{})
	go func() { // which fn may end
		defer close(done)
		defer func() {
			if p := recover(); p != nil && p != errRefused { //nolint:errorlint // the panic's value as it is
				s.t.Errorf("the panic's value became %v", p)
			}
		}()
		err := s.b.Update(context.Background(), func(x journal.Txn) error {
			update(x, func() error {
				return errors.Join(x.Put(alpha, []byte("a"), []byte("x")), x.Delete(alpha, []byte("b")),
					x.Put(alpha, []byte("c"), []byte("x")), x.Put(beta, []byte("d"), []byte("x")))
			})
			return errRefused
		})
		if err != errRefused { //nolint:errorlint // the error as it is
			s.t.Errorf("Update returned %v, want fn's error as it is", err)
		}
	}()
	<-done
	if d := diff.Diff(before, s.rows(alpha)); d != "" {
		s.t.Errorf("the rows changed (-before +after):\n%s", d)
	}
	if got := s.rows(beta); got != nil {
		s.t.Errorf("the new table has %v", got)
	}
	s.put(alpha, row{"a", "3"})
	s.view(func(r journal.Reader) error { return want(r, alpha, "a", "3") })
}

func testErrorLeavesNothing(s *store) {
	s.fails(func(_ journal.Txn, spoil func() error) {
		if err := spoil(); err != nil {
			s.t.Error(err)
		}
	})
	err := s.b.View(context.Background(), func(journal.Reader) error { return errRefused })
	if err != errRefused { //nolint:errorlint // the error as it is
		s.t.Errorf("View returned %v, want fn's error as it is", err)
	}
}

func testPanicLeavesNothing(s *store) {
	s.fails(func(_ journal.Txn, spoil func() error) {
		if err := spoil(); err != nil {
			s.t.Error(err)
		}
		panic(errRefused)
	})
	s.fails(func(x journal.Txn, spoil func() error) {
		if err := spoil(); err != nil {
			s.t.Error(err)
		}
		x.Scan(alpha, journal.Range{}, func(_, _ []byte) error { panic(errRefused) })
	})
	func() {
		defer func() {
			if p := recover(); p != errRefused { //nolint:errorlint // the panic's value as it is
				s.t.Errorf("View: the panic's value became %v", p)
			}
		}()
		s.b.View(context.Background(), func(journal.Reader) error { panic(errRefused) })
	}()
	s.put(alpha, row{"z", "1"})
}

func testGoexitLeavesNothing(s *store) {
	s.fails(func(_ journal.Txn, spoil func() error) {
		if err := spoil(); err != nil {
			s.t.Error(err)
		}
		runtime.Goexit()
	})
}

func testClosed(s *store) {
	s.put(alpha, row{"a", "1"})
	if err := s.b.Close(); err != nil {
		s.t.Fatalf("Close: %v", err)
	}
	never := func() error { s.t.Error("fn was called on a closed backend"); return nil }
	errView := s.b.View(context.Background(), func(journal.Reader) error { return never() })
	errUpdate := s.b.Update(context.Background(), func(journal.Txn) error { return never() })
	_, errTables := s.b.Tables(context.Background())
	for name, err := range map[string]error{"View": errView, "Update": errUpdate, "Tables": errTables} {
		if !errors.Is(err, journal.ErrClosed) {
			s.t.Errorf("%s on a closed backend: %v, want ErrClosed", name, err)
		}
	}
	if err := s.b.Close(); err != nil {
		s.t.Errorf("Close again: %v", err)
	}
}
