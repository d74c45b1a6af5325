// Package backendtest is the conformance suite of [journal.Backend]. A backend that passes it may stand behind a
// journal, be it a file, memory or a database server.
package backendtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"muniment/anchor/journal"
)

// Options says what else the backend can do. The zero value is a backend that forgets its rows and has one user.
type Options struct {
	// Reopen closes the backend, if it is not closed yet, and opens another one on the same rows, as after the end of
	// the process. Nil if rows do not outlive the backend.
	Reopen func(t *testing.T, b journal.Backend) journal.Backend
	// Second opens another handle on the rows of an open backend, as of another process. Nil if there can be only one.
	Second func(t *testing.T, b journal.Backend) journal.Backend
}

// Run runs the suite. open returns a new backend without rows; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) journal.Backend, o Options) {
	start := func(t *testing.T) *store {
		b := open(t)
		t.Cleanup(func() { b.Close() })
		return &store{t: t, b: b}
	}
	for _, c := range []struct {
		name string
		run  func(*store)
	}{
		{"rows", testRows},
		{"rows that are refused", testRefusedRows},
		{"tables are apart", testTablesApart},
		{"tables with rows", testTables},
		{"sizes", testSizes},
		{"values are copied", testCopied},
		{"ranges", testRanges},
		{"prefixes", testPrefixes},
		{"stop", testStop},
		{"an error ends a scan", testScanError},
		{"scans inside scans", testNestedScans},
		{"many rows", testManyRows},
		{"an emptied table", testEmptied},
		{"model", testModel},
		{"own writes", testOwnWrites},
		{"deleting while scanning", testDeleteWhileScanning},
		{"errors leave nothing", testErrorLeavesNothing},
		{"panics leave nothing", testPanicLeavesNothing},
		{"an ended goroutine leaves nothing", testGoexitLeavesNothing},
		{"snapshots", testSnapshots},
		{"views beside an update", testViewBesideUpdate},
		{"updates are serialized", testSerialized},
		{"cancelled before", testCancelledBefore},
		{"cancelled while waiting", testCancelledWaiting},
		{"closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(start(t)) })
	}
	t.Run("reopened", func(t *testing.T) { testReopened(start(t), o.Reopen) })
	t.Run("two handles", func(t *testing.T) { testTwoHandles(start(t), o.Second) })
}

var (
	alpha = journal.Table{Kind: journal.Projection, Name: "alpha"}
	beta  = journal.Table{Kind: journal.Index, Name: "beta"}
)

// errRefused is an error of a caller's.
var errRefused = errors.New("refused")

// row is a row as text, which reads well in a failure.
type row struct{ Key, Value string }

// store is a backend with the checks that the cases share.
type store struct {
	t *testing.T
	b journal.Backend
}

func (s *store) view(fn func(journal.Reader) error) {
	s.t.Helper()
	if err := s.b.View(context.Background(), fn); err != nil {
		s.t.Fatalf("View: %v", err)
	}
}

func (s *store) update(fn func(journal.Txn) error) {
	s.t.Helper()
	if err := s.b.Update(context.Background(), fn); err != nil {
		s.t.Fatalf("Update: %v", err)
	}
}

// put writes rows in one transaction.
func (s *store) put(t journal.Table, rows ...row) {
	s.t.Helper()
	s.update(func(x journal.Txn) error { return putAll(x, t, rows...) })
}

// rows is the table as it is now.
func (s *store) rows(t journal.Table) (rows []row) {
	s.t.Helper()
	s.view(func(r journal.Reader) (err error) {
		rows, err = scan(r, t, journal.Range{})
		return err
	})
	return rows
}

func putAll(x journal.Txn, t journal.Table, rows ...row) error {
	for _, r := range rows {
		if err := x.Put(t, []byte(r.Key), []byte(r.Value)); err != nil {
			return err
		}
	}
	return nil
}

func scan(r journal.Reader, t journal.Table, rg journal.Range) (rows []row, err error) {
	err = r.Scan(t, rg, func(key, value []byte) error {
		rows = append(rows, row{string(key), string(value)})
		return nil
	})
	return rows, err
}

// want returns an error if a row does not have the value; with an empty value, if the row is there.
func want(r journal.Reader, t journal.Table, key, value string) error {
	got, err := r.Get(t, []byte(key))
	switch {
	case err != nil:
		return err
	case value == "" && got != nil:
		return fmt.Errorf("%s %q is there, and should not be", t, key)
	case string(got) != value:
		return fmt.Errorf("%s %q is %.40q, want %.40q", t, key, got, value)
	}
	return nil
}
