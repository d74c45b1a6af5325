package backendtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	diff "github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
)

func testRanges(s *store) {
	s.put(alpha, row{"a", "1"}, row{"b", "2"}, row{"ba", "3"}, row{"c", "4"}, row{"\xff", "5"}, row{"\xff\xff", "6"})
	s.put(beta, row{"a", "other"}, row{"z", "other"})
	b := func(s string) []byte { return []byte(s) }
	for _, c := range []struct {
		name     string
		from, to []byte
		want     []string
	}{
		{"all", nil, nil, []string{"a", "b", "ba", "c", "\xff", "\xff\xff"}},
		{"from the first", b(""), nil, []string{"a", "b", "ba", "c", "\xff", "\xff\xff"}},
		{"from a key", b("b"), nil, []string{"b", "ba", "c", "\xff", "\xff\xff"}},
		{"from just after a key", b("b\x00"), nil, []string{"ba", "c", "\xff", "\xff\xff"}},
		{"to a key", nil, b("c"), []string{"a", "b", "ba"}},
		{"to just after a key", nil, b("c\x00"), []string{"a", "b", "ba", "c"}},
		{"between keys", b("aa"), b("bb"), []string{"b", "ba"}},
		{"one key", b("b"), b("b\x00"), []string{"b"}},
		{"last key", b("\xff\xff"), nil, []string{"\xff\xff"}},
		{"before all", nil, b("a"), nil},
		{"after all", b("\xff\xff\xff"), nil, nil},
		{"to beyond all", b("c"), b("\xff\xff\xff"), []string{"c", "\xff", "\xff\xff"}},
		{"nothing between", b("bb"), b("bc"), nil},
		{"empty", b("b"), b("b"), nil},
		{"backwards", b("c"), b("a"), nil},
	} {
		for _, reverse := range []bool{false, true} {
			var got []string
			s.view(func(r journal.Reader) error {
				got = nil
				return r.Scan(alpha, journal.Range{From: c.from, To: c.to, Reverse: reverse},
					func(key, _ []byte) error {
						got = append(got, string(key))
						return nil
					})
			})
			wanted := slices.Clone(c.want)
			if reverse {
				slices.Reverse(wanted)
			}
			if d := diff.Diff(wanted, got); d != "" {
				s.t.Errorf("%s, reverse %v (-want +got):\n%s", c.name, reverse, d)
			}
		}
	}
	s.view(func(r journal.Reader) error {
		rows, err := scan(r, journal.Table{Kind: journal.Log, Name: "absent"}, journal.Range{})
		if len(rows) != 0 {
			s.t.Errorf("a table that does not exist has %v", rows)
		}
		return err
	})
}

func testPrefixes(s *store) {
	keys := []string{"a", "a\x00", "ab", "a\xff", "a\xff\xff", "b", "\xff", "\xff\x01", "\xff\xff"}
	for _, k := range keys {
		s.put(alpha, row{k, "v"})
	}
	for _, prefix := range []string{"", "a", "a\xff", "a\xff\xff", "b", "c", "\xff", "\xff\xff", "\xff\xff\xff"} {
		for _, reverse := range []bool{false, true} {
			var wanted []row
			for _, k := range keys {
				if len(k) >= len(prefix) && k[:len(prefix)] == prefix {
					wanted = append(wanted, row{k, "v"})
				}
			}
			slices.SortFunc(wanted, func(a, b row) int { return slices.Compare([]byte(a.Key), []byte(b.Key)) })
			if reverse {
				slices.Reverse(wanted)
			}
			rg := journal.Prefix([]byte(prefix))
			rg.Reverse = reverse
			s.view(func(r journal.Reader) error {
				got, err := scan(r, alpha, rg)
				if d := diff.Diff(wanted, got); d != "" {
					s.t.Errorf("prefix %q, reverse %v (-want +got):\n%s", prefix, reverse, d)
				}
				return err
			})
		}
	}
}

func testStop(s *store) {
	s.put(alpha, row{"a", "1"}, row{"b", "2"}, row{"c", "3"})
	for _, stop := range []error{journal.Stop, fmt.Errorf("enough: %w", journal.Stop)} {
		s.view(func(r journal.Reader) error {
			var seen int
			err := r.Scan(alpha, journal.Range{}, func(_, _ []byte) error {
				if seen++; seen == 2 {
					return stop
				}
				return nil
			})
			if seen != 2 {
				s.t.Errorf("Stop at the second row: fn saw %d", seen)
			}
			return err
		})
	}
}

func testScanError(s *store) {
	s.put(alpha, row{"a", "1"}, row{"b", "2"})
	s.view(func(r journal.Reader) error {
		var seen int
		err := r.Scan(alpha, journal.Range{}, func(_, _ []byte) error {
			seen++
			return errRefused
		})
		if seen != 1 || !errors.Is(err, errRefused) {
			s.t.Errorf("fn returned an error at the first row: it saw %d rows, and Scan returned %v", seen, err)
		}
		return want(r, alpha, "b", "2")
	})
}

func testNestedScans(s *store) {
	s.put(alpha, row{"a", "x"}, row{"b", "y"})
	s.put(beta, row{"x1", "a"}, row{"x2", "b"}, row{"y1", "b"})
	wanted := []row{{"a", "x1 a x"}, {"a", "x2 b y"}, {"b", "y1 b y"}}
	joined := func(r journal.Reader) (rows []row, err error) {
		err = r.Scan(alpha, journal.Range{}, func(key, value []byte) error {
			return r.Scan(beta, journal.Prefix(value), func(inner, back []byte) error {
				again, err := r.Get(alpha, back)
				rows = append(rows, row{string(key), fmt.Sprintf("%s %s %s", inner, back, again)})
				return err
			})
		})
		return rows, err
	}
	check := func(r journal.Reader) error {
		got, err := joined(r)
		if d := diff.Diff(wanted, got); d != "" {
			s.t.Errorf("rows (-want +got):\n%s", d)
		}
		return err
	}
	s.view(check)
	s.update(func(x journal.Txn) error { return check(x) })
}

func testManyRows(s *store) {
	const groups, each = 20, 500
	key := func(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }
	for g := range groups {
		s.update(func(x journal.Txn) error {
			for i := range each {
				n := g*each + i
				if err := x.Put(alpha, key(n), fmt.Appendf(nil, "%0100d", n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	s.view(func(r journal.Reader) error {
		for _, reverse := range []bool{false, true} {
			n := 0
			err := r.Scan(alpha, journal.Range{Reverse: reverse}, func(k, v []byte) error {
				i := n
				if reverse {
					i = groups*each - 1 - n
				}
				if string(k) != string(key(i)) || string(v) != fmt.Sprintf("%0100d", i) {
					return fmt.Errorf("row %d of the scan is %x = %s", n, k, v)
				}
				n++
				return nil
			})
			if err != nil || n != groups*each {
				return fmt.Errorf("reverse %v: %d rows, want %d: %w", reverse, n, groups*each, err)
			}
		}
		return nil
	})
	s.update(func(x journal.Txn) error {
		for i := range groups * each {
			if i%1000 == 0 {
				continue
			}
			if err := x.Delete(alpha, key(i)); err != nil {
				return err
			}
		}
		if rows, err := scan(x, alpha, journal.Range{Reverse: true}); err != nil || len(rows) != groups*each/1000 {
			return fmt.Errorf("%d rows before the commit, want %d: %w", len(rows), groups*each/1000, err)
		}
		return nil
	})
	if got := len(s.rows(alpha)); got != groups*each/1000 {
		s.t.Errorf("%d rows, want %d", got, groups*each/1000)
	}
}

// testEmptied deletes all rows of a table too large for one page, and looks at it before the commit, and after it.
func testEmptied(s *store) {
	const n = 2000
	key := func(i int) []byte { return fmt.Appendf(nil, "%08d", i) }
	empty := func(r journal.Reader) error {
		for _, rg := range []journal.Range{{}, {Reverse: true}, {To: key(n / 2), Reverse: true}, {From: key(n / 2)}} {
			if rows, err := scan(r, alpha, rg); err != nil || len(rows) > 0 {
				return fmt.Errorf("an empty table has %d rows: %w", len(rows), err)
			}
		}
		return nil
	}
	s.update(func(x journal.Txn) error {
		for i := range n {
			if err := x.Put(alpha, key(i), bytes.Repeat([]byte("v"), 50)); err != nil {
				return err
			}
		}
		return nil
	})
	s.update(func(x journal.Txn) error {
		for i := range n {
			if err := x.Delete(alpha, key(i)); err != nil {
				return err
			}
		}
		return empty(x)
	})
	s.view(empty)
}
