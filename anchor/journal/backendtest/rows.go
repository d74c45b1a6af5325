package backendtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	diff "github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
)

func testRows(s *store) {
	s.view(func(r journal.Reader) error { return want(r, alpha, "a", "") })
	s.put(alpha, row{"a", "1"}, row{"b", "2"}, row{"\x00", "\x00\xff"})
	s.view(func(r journal.Reader) error {
		return errors.Join(
			want(r, alpha, "a", "1"), want(r, alpha, "b", "2"), want(r, alpha, "\x00", "\x00\xff"),
			want(r, alpha, "ab", ""), want(r, alpha, "", ""))
	})
	s.put(alpha, row{"a", "one"})
	s.update(func(x journal.Txn) error {
		return errors.Join(
			x.Delete(alpha, []byte("b")), x.Delete(alpha, []byte("absent")), x.Delete(beta, []byte("absent")))
	})
	got := s.rows(alpha)
	if d := diff.Diff([]row{{"\x00", "\x00\xff"}, {"a", "one"}}, got); d != "" {
		s.t.Errorf("rows (-want +got):\n%s", d)
	}
}

func testRefusedRows(s *store) {
	for _, bad := range []struct {
		name       string
		key, value []byte
	}{
		{"nil key", nil, []byte("v")},
		{"empty key", []byte{}, []byte("v")},
		{"nil value", []byte("k"), nil},
		{"empty value", []byte("k"), []byte{}},
	} {
		err := s.b.Update(context.Background(), func(x journal.Txn) error {
			if err := x.Put(alpha, []byte("good"), []byte("v")); err != nil {
				return err
			}
			return x.Put(alpha, bad.key, bad.value)
		})
		if err == nil {
			s.t.Errorf("%s: accepted", bad.name)
		}
	}
	if got := s.rows(alpha); got != nil {
		s.t.Errorf("a refused row left %v", got)
	}
}

// testTablesApart uses names of which one is the beginning of another, and the same name in each kind.
func testTablesApart(s *store) {
	var tables []journal.Table
	for _, k := range []journal.Kind{journal.Log, journal.Projection, journal.Sealed, journal.Index, journal.Volatile} {
		for _, name := range []string{"a", "a.b", "ab", "a_b", "a0"} {
			tables = append(tables, journal.Table{Kind: k, Name: name})
		}
	}
	s.update(func(x journal.Txn) error {
		for _, t := range tables {
			if err := putAll(x, t, row{"same", t.String()}, row{t.String(), "own"}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, t := range tables {
		wanted := []row{{"same", t.String()}, {t.String(), "own"}}
		slices.SortFunc(wanted, func(a, b row) int { return cmp.Compare(a.Key, b.Key) })
		if d := diff.Diff(wanted, s.rows(t)); d != "" {
			s.t.Errorf("%s (-want +got):\n%s", t, d)
		}
	}
}

func testTables(s *store) {
	check := func(wanted ...journal.Table) {
		s.t.Helper()
		got, err := s.b.Tables(context.Background())
		if err != nil {
			s.t.Fatalf("Tables: %v", err)
		}
		slices.SortFunc(got, func(a, b journal.Table) int { return cmp.Compare(a.String(), b.String()) })
		if !slices.Equal(got, wanted) {
			s.t.Errorf("Tables: %v, want %v", got, wanted)
		}
	}
	check()
	s.put(alpha, row{"a", "1"})
	check(alpha)
	s.put(beta, row{"a", "1"})
	check(beta, alpha) // "i.beta" comes before "p.alpha"
	s.update(func(x journal.Txn) error { return x.Delete(beta, []byte("a")) })
	check(alpha)
}

// testSizes writes values larger than a page of any store.
func testSizes(s *store) {
	var rows []row
	for i, size := range []int{1, 100, 1 << 10, 4 << 10, 64 << 10, 256 << 10} {
		rows = append(rows, row{fmt.Sprint("value", i), strings.Repeat(string(rune('a'+i)), size)})
	}
	for i, size := range []int{1, 100, 1 << 10} {
		rows = append(rows, row{strings.Repeat(string(rune('A'+i)), size), "v"})
	}
	s.put(alpha, rows...)
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.Key, b.Key) })
	if got := s.rows(alpha); !slices.Equal(got, rows) {
		s.t.Error("a scan returns other rows than were written")
	}
	s.view(func(r journal.Reader) error {
		for _, w := range rows {
			if err := want(r, alpha, w.Key, w.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// testCopied gives away one buffer again and again, small and large.
func testCopied(s *store) {
	const small, large = 10, 100_000
	fill := func(b []byte, with byte) []byte {
		for i := range b {
			b[i] = with
		}
		return b
	}
	key, value := make([]byte, 2), make([]byte, large)
	s.update(func(x journal.Txn) error {
		for i := byte('a'); i <= 'z'; i++ {
			size := small
			if i%2 == 0 {
				size = large
			}
			if err := x.Put(alpha, fill(key, i), fill(value[:size], i)); err != nil {
				return err
			}
		}
		fill(key, '-')
		fill(value, '-')
		return x.Delete(alpha, []byte("nothing"))
	})
	for i, r := range s.rows(alpha) {
		letter := string(rune('a' + i))
		if r.Key != letter+letter || strings.Trim(r.Value, letter) != "" {
			s.t.Fatalf("row %d is %q = %.10q…, which was put into the buffer later", i, r.Key, r.Value)
		}
	}
}
