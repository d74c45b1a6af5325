package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	diff "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muniment/anchor/journal"
)

// testModel compares random histories with a map: transactions of random changes, committed or not, and scans of random
// ranges inside and outside of them.
func testModel(s *store) {
	history := 0
	rapid.Check(s.t, func(rt *rapid.T) {
		history++
		m := &model{
			b: s.b,
			// Each history has a table of its own, so that one backend serves all.
			table: journal.Table{Kind: journal.Projection, Name: fmt.Sprint("history", history)},
			rows:  make(map[string]string),
		}
		for range rapid.IntRange(1, 6).Draw(rt, "transactions") {
			m.transaction(rt)
		}
	})
}

// model holds the rows that a table must have.
type model struct {
	b     journal.Backend
	table journal.Table
	rows  map[string]string
}

// change is drawn before a transaction, whose function may run more than once.
type change struct {
	Key    string
	Size   int // of the value; 0 deletes
	Filler byte
	Range  journal.Range
}

// Keys of few letters meet often; a value may fill a page.
var (
	drawKey    = rapid.StringOfN(rapid.SampledFrom([]rune("ab\x00\u007f")), 1, 4, -1)
	drawChange = rapid.Custom(func(rt *rapid.T) change {
		return change{
			Key:    drawKey.Draw(rt, "key"),
			Size:   rapid.SampledFrom([]int{0, 0, 1, 30, 300, 3000}).Draw(rt, "size"),
			Filler: rapid.ByteRange('a', 'z').Draw(rt, "filler"),
			Range:  drawRange.Draw(rt, "range"),
		}
	})
	drawRange = rapid.Custom(func(rt *rapid.T) journal.Range {
		r := journal.Range{Reverse: rapid.Bool().Draw(rt, "reverse")}
		if rapid.Bool().Draw(rt, "has from") {
			r.From = []byte(drawKey.Draw(rt, "from"))
		}
		if rapid.Bool().Draw(rt, "has to") {
			r.To = []byte(drawKey.Draw(rt, "to"))
		}
		return r
	})
)

func (m *model) transaction(rt *rapid.T) {
	changes := rapid.SliceOfN(drawChange, 0, 60).Draw(rt, "changes")
	refuse := rapid.Bool().Draw(rt, "refuse")
	var after map[string]string
	err := m.b.Update(context.Background(), func(x journal.Txn) error {
		after = maps.Clone(m.rows)
		for _, c := range changes {
			if err := c.apply(x, m.table, after); err != nil {
				return err
			}
			if err := same(x, m.table, c.Range, after); err != nil {
				return err
			}
		}
		if refuse {
			return errRefused
		}
		return nil
	})
	switch {
	case refuse && errors.Is(err, errRefused):
	case err != nil:
		rt.Fatalf("Update: %v", err)
	default:
		m.rows = after
	}
	err = m.b.View(context.Background(), func(r journal.Reader) error {
		return same(r, m.table, journal.Range{}, m.rows)
	})
	if err != nil {
		rt.Fatalf("View: %v", err)
	}
}

func (c change) apply(x journal.Txn, t journal.Table, rows map[string]string) error {
	if c.Size == 0 {
		delete(rows, c.Key)
		return x.Delete(t, []byte(c.Key))
	}
	value := bytes.Repeat([]byte{c.Filler}, c.Size)
	rows[c.Key] = string(value)
	return x.Put(t, []byte(c.Key), value)
}

// same returns an error if a scan differs from the model.
func same(r journal.Reader, t journal.Table, rg journal.Range, rows map[string]string) error {
	var wanted []row
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		if (rg.From == nil || k >= string(rg.From)) && (rg.To == nil || k < string(rg.To)) {
			wanted = append(wanted, row{k, rows[k]})
		}
	}
	if rg.Reverse {
		slices.Reverse(wanted)
	}
	got, err := scan(r, t, rg)
	if err != nil {
		return err
	}
	if d := diff.Diff(wanted, got); d != "" {
		return fmt.Errorf("a scan of %q to %q, reverse %v (-want +got):\n%.2000s", rg.From, rg.To, rg.Reverse, d)
	}
	return nil
}
