package journal_test

import (
	"encoding/binary"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// forgeries are what a writer of the database makes of the tables that say which events bind, rewrite and release the
// sealed rows. Leaf 2 is an event that has to do with none of them.
var forgeries = map[string]map[string]map[string][]byte{
	"another event binds a row":            {"journal.bound": {"row-0": leaf(2)}},
	"another event rewrites a row":         {"journal.rewritten": {"row-2": leaf(2)}},
	"another event releases a living row":  {"journal.released": {"row-2": leaf(2)}},
	"another event releases an erased row": {"journal.released": {"row-1": leaf(2)}},
	"a row that never was is bound":        {"journal.bound": {"stranger": leaf(2)}},
	"a row that never was is released":     {"journal.released": {"stranger": leaf(2)}},
	"no event binds a row":                 {"journal.bound": {"row-2": nil}},
	"no event rewrites a row":              {"journal.rewritten": {"row-0": nil}},
	"an erased row is bound":               {"journal.bound": {"row-1": leaf(3)}},
}

func leaf(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// forge changes rows of the tables of a backend, and says of every entry that it is one of a change that never ends.
func forge(t *testing.T, b journal.Backend, tables map[string]map[string][]byte) {
	t.Helper()
	err := b.Update(t.Context(), func(tx journal.Txn) error {
		changes := journal.Table{Kind: journal.Volatile, Name: "change"}
		if err := tx.Put(changes, leaf(1<<40), leaf(0)); err != nil {
			return err
		}
		for name, rows := range tables {
			table := journal.Table{Kind: journal.Projection, Name: name}
			for key, row := range rows {
				err := tx.Delete(table, []byte(key))
				if row != nil {
					err = tx.Put(table, []byte(key), row)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestForgedTablesSpoilNoBatch: which sealed rows a batch holds follows from its events, and from no table that
// somebody may have written to, whether it is shipped first, again, or under another key.
func TestForgedTablesSpoilNoBatch(t *testing.T) {
	t.Parallel()
	for what, tables := range forgeries {
		t.Run(what+", shipped again", func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			k.bucket = journaltest.NewBucket(silent{})
			j := openRewriting(t, k)
			history(t, j, 5)
			k.close(t, j)
			genuine := k.backend.Clone()
			forge(t, k.backend, tables)
			for name := range k.bucket.Objects() {
				if len(name) > 6 && name[:6] == "batch/" {
					k.bucket.Tamper(name, nil)
				}
			}
			j = openRewriting(t, k)
			if err := j.LookAfterBatches(t.Context()); err != nil {
				t.Errorf("looking after the batches: %v", err)
			}
			released(t, j, commit(t, j, noted.New(docID(1), note1(9))))
			size := j.Size()
			k.close(t, j)
			restoresAs(t, k, genuine, size)
		})
		t.Run(what+", under another key", func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			j := openRewriting(t, k)
			history(t, j, 5)
			k.close(t, j)
			genuine := k.backend.Clone()
			forge(t, k.backend, tables)
			j = openRewriting(t, k)
			reship(t, j)
			size := j.Size()
			k.close(t, j)
			restoresAs(t, k, genuine, size)
		})
		t.Run(what+", shipped first", func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			j := openRewriting(t, k)
			released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
			k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
				if c.Op == "put" {
					return journaltest.Fails
				}
				return journaltest.Works
			})
			unreleased(t, j)
			k.close(t, j)
			k.bucket.Inject(nil)
			genuine := k.backend.Clone()
			forge(t, k.backend, tables)
			j = openRewriting(t, k)
			released(t, j, commit(t, j, noted.New(docID(1), note1(9))))
			size := j.Size()
			k.close(t, j)
			restoresAs(t, k, genuine, size)
		})
	}
}

// unreleased commits what history does, and does not wait for its release.
func unreleased(t *testing.T, j *journal.Journal) {
	t.Helper()
	commit(t, j, noted.New(docID(1), note1(2)))
	seal(t, j, kept.New(docID(1), secret{"row-1"}), "row-1", []byte("one"))
	seal(t, j, kept.New(docID(0), secret{"row-0"}), "row-0", []byte("zero"))
	seal(t, j, kept.New(docID(2), secret{"row-2"}), "row-2", []byte("two"))
	seal(t, j, rewritten.New(docID(0), secret{"row-0"}), "row-0", []byte("zero again"))
	seal(t, j, erased.New(docID(1), secret{"row-1"}), "row-1", nil)
}

// restoresAs restores a kit's bucket, and compares bodies and sealed rows with a database from before it was forged,
// which goes on from the bucket to the same size.
func restoresAs(t *testing.T, k *kit, genuine *memory.Store, size uint64) {
	t.Helper()
	var got [2]string
	for i, b := range []*memory.Store{memory.New(memory.Config{}), genuine} {
		fresh := newKit(t)
		fresh.backend, fresh.bucket = b, k.bucket
		j, err := journal.Open(t.Context(), fresh.rewriting(t))
		if err != nil {
			t.Errorf("restoring: %v", err)
			return
		}
		if j.Size() != size {
			t.Errorf("restored to %d, want %d", j.Size(), size)
		}
		fresh.close(t, j)
		got[i] = kindsOf(t, fresh.backend)
	}
	if got[0] != got[1] {
		t.Errorf("what was restored has other rows:\n%s\nwant\n%s", got[0], got[1])
	}
}
