package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// tokensOf stands in for what a vault computes by unwrapping: a row's one token is made of its key.
func tokensOf(_ context.Context, rows []journal.SealedRowAt) ([]journal.TokensOf, error) {
	out := make([]journal.TokensOf, len(rows))
	for i, row := range rows {
		out[i].Tokens = [][]byte{append([]byte("token-"), row.Key...)}
		if !bytes.Equal(row.Value, append([]byte("sealed "), row.Key...)) {
			out[i].Problem = "it cannot be unwrapped"
		}
	}
	return out, nil
}

// furnished is a journal with every kind of row in it, closed, and with rows that were not shipped.
func furnished(t *testing.T) *kit {
	t.Helper()
	k := newKit(t)
	j := k.open(t)
	seal := func(key string, value []byte, event journal.Event) {
		_, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
			row := journal.Row{Key: []byte(key), Value: value, Tokens: [][]byte{[]byte("token-" + key)}}
			return journal.Change{Events: []journal.Event{event}, Sealed: []journal.Row{row}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		commit(t, j, noted.New(docID(i%3+1), note1(i)), chore.New(docID(1), noteData{}))
	}
	seal("k1", []byte("sealed k1"), kept.New(journal.ID{}, secret{"k1"}))
	seal("k2", []byte("sealed k2"), kept.New(journal.ID{}, secret{"k2"}))
	seal("k2", nil, erased.New(journal.ID{}, secret{"k2"}))
	n, err := j.WorkOnce(t.Context(),
		journal.Worker{Kind: "chore", Batch: 10,
			Do: func(_ context.Context, due []journal.Duty) ([]journal.Outcome, error) {
				return []journal.Outcome{{Duty: due[0]}, {Duty: due[1], Again: start.Add(time.Hour)}}, nil
			}})
	if err != nil || n != 2 {
		t.Fatalf("working: %d, %v", n, err)
	}
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	commit(t, j, looked.New(docID(1), noteData{})) // carries the note of what was shipped
	k.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	seal("k3", []byte("sealed k3"), kept.New(journal.ID{}, secret{"k3"}))
	k.close(t, j)
	k.bucket.Inject(nil)
	return k
}

func (k *kit) fsckKeys(t testing.TB) []journal.Finding {
	t.Helper()
	found, err := journal.Fsck(t.Context(), journal.FsckConfig{
		Backend: k.backend, Bucket: k.bucket, Definitions: definitions(), Scratch: memory.New(memory.Config{}),
		Tokens: tokensOf,
	})
	if err != nil {
		t.Fatalf("fsck: %v", err)
	}
	return found
}

type stored struct {
	table      journal.Table
	key, value []byte
}

func rowsOf(t testing.TB, b journal.Backend, table journal.Table) (rows []stored) {
	t.Helper()
	err := b.View(t.Context(), func(r journal.Reader) error {
		return r.Scan(table, journal.Range{}, func(key, value []byte) error {
			rows = append(rows, stored{table, bytes.Clone(key), bytes.Clone(value)})
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func set(t testing.TB, b journal.Backend, row stored, value []byte) {
	t.Helper()
	err := b.Update(t.Context(), func(tx journal.Txn) error {
		if value == nil {
			return tx.Delete(row.table, row.key)
		}
		return tx.Put(row.table, row.key, value)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFsckNamesEveryRow changes and deletes rows of every table that the store has, so that a table that is added later
// is in the test without being named here.
func TestFsckNamesEveryRow(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs fsck for each row of each table; left out by -short")
	}
	t.Parallel()
	k := furnished(t)
	if found := k.fsckKeys(t); len(found) > 0 {
		t.Fatalf("fsck of a sound journal: %v", found)
	}
	tables, err := k.backend.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[journal.Kind]bool{}
	for _, table := range tables {
		kinds[table.Kind] = true
		rows := rowsOf(t, k.backend, table)
		for _, at := range []int{0, len(rows) / 2, len(rows) - 1} {
			row := rows[at]
			for what, value := range map[string][]byte{"changed": flip(row.value), "deleted": nil} {
				if beyondFsck(row, what) {
					continue
				}
				set(t, k.backend, row, value)
				found := k.fsckKeys(t)
				if !slices.ContainsFunc(found,
					func(f journal.Finding) bool { return f.Table == table && bytes.Equal(f.Key, row.key) }) {
					t.Errorf("%s %x %s: fsck says %v", table, row.key, what, first(found))
				}
				set(t, k.backend, row, row.value)
			}
		}
	}
	if len(kinds) != 5 {
		t.Errorf("the test has rows of %d kinds, not of all five", len(kinds))
	}
	if found := k.fsckKeys(t); len(found) > 0 {
		t.Errorf("fsck after putting all back: %v", found)
	}
}

// beyondFsck says of which rows fsck can know nothing: leases guard nothing, the note of what was shipped may be
// missing, for it rides on a later commit, and a database with another id, or none, is another one, which waits for the
// lease.
func beyondFsck(row stored, what string) bool {
	switch row.table.String() {
	case "v.lease", "v.database":
		return true
	case "v.shipped":
		return what == "deleted"
	}
	return false
}

func flip(value []byte) []byte {
	out := bytes.Clone(value)
	out[len(out)/2] ^= 1
	return out
}

func first(found []journal.Finding) string {
	var out []string
	for _, f := range found[:min(5, len(found))] {
		out = append(out, f.String())
	}
	return fmt.Sprintf("%d findings: %s", len(found), strings.Join(out, "; "))
}

func TestFsckNoticesCutTail(t *testing.T) {
	t.Parallel()
	k := furnished(t)
	old := newKit(t)
	old.bucket = k.bucket.Clone(t)
	j := k.open(t) // ships the rest
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	k.close(t, j)
	cut := newKit(t)
	cut.bucket = old.bucket
	cut.close(t, cut.open(t)) // restored from an older head
	cut.bucket = k.bucket
	found := cut.fsck(t)
	if !slices.ContainsFunc(found, func(f journal.Finding) bool { return f.Table.String() == "l.head" }) {
		t.Errorf("fsck says %v", first(found))
	}
}
