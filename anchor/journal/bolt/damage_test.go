package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"muniment/anchor/journal"
)

// TestBitFlips flips bits all over a file. A read then gives either the row that was written or an error that says so;
// the process goes on, and a transaction over damaged pages is not committed.
func TestBitFlips(t *testing.T) {
	t.Parallel()
	const rows, rounds = 300, 600
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, rows)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole = whole[:usedBytes(whole)]
	random := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]int)
	for range rounds {
		at := 2*pageSize + random.IntN(len(whole)-2*pageSize)
		if random.IntN(2) == 0 { // where a page's header and elements are
			at = at/pageSize*pageSize + random.IntN(64)
		}
		broken := bytes.Clone(whole)
		broken[at] ^= 1 << random.IntN(8)
		seen[survey(t, path, broken, at)]++
	}
	t.Logf("%d flips: %v", rounds, seen)
	if seen["refused"] == 0 || seen["read"] == 0 || seen["found"] == 0 {
		t.Errorf("not every outcome was met: %v", seen)
	}
}

func survey(t *testing.T, path string, file []byte, at int) string {
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := tryOpen(path)
	if err != nil {
		if !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("byte %d: opening: %v, want ErrDamaged", at, err)
		}
		return "refused"
	}
	defer s.Close()
	n, err := count(s)
	if err != nil {
		if !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("byte %d: reading: %v, want ErrDamaged", at, err)
		}
		return "found"
	}
	if n != 300 {
		return "rows lost" // only the log's own numbers can tell
	}
	return "read"
}

func TestFileCutShortWhileOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 1000)
	s := open(t, path)
	if err := os.Truncate(path, 8*pageSize); err != nil {
		t.Fatal(err)
	}
	if n, err := count(s); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("reading: %d rows, %v; want ErrDamaged", n, err)
	}
	if err := tryPut(s, 1000, 1001); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("writing: %v, want ErrDamaged", err)
	}
}

// TestDamageCannotBeIgnored has fn go on as if nothing had happened.
func TestDamageCannotBeIgnored(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 1000)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	if err := os.Truncate(path, 8*pageSize); err != nil {
		t.Fatal(err)
	}
	other := journal.Table{Kind: journal.Log, Name: "other"}
	err = s.Update(context.Background(), func(x journal.Txn) error {
		if _, err := x.Get(table, rowKey(999)); !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("Get: %v, want ErrDamaged", err)
		}
		// The pages are back, so that a commit would succeed.
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			return err
		}
		return x.Put(other, []byte("key"), []byte("value"))
	})
	if !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("Update: %v, want ErrDamaged", err)
	}
	if n, err := count(s); n != 1000 || err != nil {
		t.Errorf("%d rows, %v; want 1000", n, err)
	}
	if tables, err := s.Tables(context.Background()); err != nil || len(tables) != 1 {
		t.Errorf("tables: %v, %v; want the first alone", tables, err)
	}
}

// TestValueGoneWhileInUse has fn itself touch a page that is gone.
func TestValueGoneWhileInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 10)
	s := open(t, path)
	err := s.Update(context.Background(), func(x journal.Txn) error {
		return x.Put(table, []byte("large"), bytes.Repeat([]byte("x"), 10*pageSize))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(context.Background(), func(r journal.Reader) error {
		value, err := r.Get(table, []byte("large"))
		if err != nil {
			return err
		}
		if err := os.Truncate(path, 4*pageSize); err != nil {
			return err
		}
		if bytes.Count(value, []byte("x")) > 0 {
			t.Error("the value can be read, though its pages are gone")
		}
		return nil
	})
	if !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("View: %v, want ErrDamaged", err)
	}
}

// TestNilDereferenceIsTheCallers keeps a caller's own mistakes from being blamed on the file.
func TestNilDereferenceIsTheCallers(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "journal.db"))
	defer func() {
		if recover() == nil {
			t.Error("the caller's panic was swallowed")
		}
		put(t, s, 0, 1)
	}()
	var nothing *struct{ n int }
	s.Update(context.Background(), func(journal.Txn) error {
		nothing.n++
		return nil
	})
}
