package bolt_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muniment/anchor/journal/bolt"
)

// structureOf lists the faults of an open file.
func structureOf(t testing.TB, s *bolt.Store) (faults []string) {
	t.Helper()
	err := s.CheckStructure(t.Context(), func(where, problem string) {
		faults = append(faults, where+": "+problem)
	})
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

// TestStructureOfAWholeFile: files of many shapes, with tables in a page and with trees of their own, have no fault.
func TestStructureOfAWholeFile(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{0, 1, 300, 5000} {
		path := filepath.Join(t.TempDir(), "journal.db")
		fill(t, path, rows)
		s := open(t, path)
		if faults := structureOf(t, s); len(faults) > 0 {
			t.Errorf("%d rows: %v", rows, faults)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStructureOfADamagedFile writes over a piece of each page in turn. A list of free pages that was written over is
// found although every row can be read, and no damage ends the process.
func TestStructureOfADamagedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 300)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole = whole[:usedBytes(whole)]
	order := binary.NativeEndian
	list := order.Uint64(whole[16+32:]) // of the meta page that counts
	if order.Uint64(whole[pageSize+16+48:]) > order.Uint64(whole[16+48:]) {
		list = order.Uint64(whole[pageSize+16+32:])
	}
	random := rand.New(rand.NewPCG(3, 4))
	found, silent := 0, 0
	for page := 2; page < len(whole)/pageSize; page++ {
		broken := bytes.Clone(whole)
		for i := range 200 {
			broken[page*pageSize+16+i] = byte(random.IntN(256))
		}
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := tryOpen(path)
		if err != nil {
			continue // refused already
		}
		n, err := count(s)
		rowsRead := err == nil && n == 300
		faults := structureOf(t, s)
		switch {
		case len(faults) > 0:
			found++
		case uint64(page) == list:
			t.Errorf("page %d, the list of free pages, was written over and no fault is found", page)
		case !rowsRead:
			t.Errorf("page %d cannot be read, and no fault is found", page)
		default:
			silent++ // a free page, or one that no longer counts
		}
		_ = s.Close()
	}
	if found == 0 || silent == 0 {
		t.Errorf("%d pages had faults, and %d none", found, silent)
	}
}

// TestAPageInUseAndFreeIsFound: rows read well, and the next write would go over one of them.
func TestAPageInUseAndFreeIsFound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, 300)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := usedBytes(raw)
	leaf := 0
	for page := 2; page < used/pageSize; page++ {
		if raw[page*pageSize+8] == 0x02 {
			leaf = page
		}
	}
	// Every list there is names the leaf: only the one in use counts.
	for page := 2; page < used/pageSize; page++ {
		if raw[page*pageSize+8] == 0x10 && raw[page*pageSize+10] > 0 {
			raw[page*pageSize+16], raw[page*pageSize+17] = byte(leaf), byte(leaf>>8)
		}
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	defer s.Close()
	faults := strings.Join(structureOf(t, s), "\n")
	want := fmt.Sprintf("page %d: it is in use, and in the list of free pages", leaf)
	if !strings.Contains(faults, want) {
		t.Errorf("found: %s, want %s", faults, want)
	}
}
