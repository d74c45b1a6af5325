package journal_test

import (
	"bytes"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// TestAnExchangedKeyIsPutBack: a copy of the wrapped shipping key that is exchanged or gone while the journal is open
// is put back by the next look, in the bucket and in the database.
func TestAnExchangedKeyIsPutBack(t *testing.T) {
	t.Parallel()
	table := journal.Table{Kind: journal.Volatile, Name: "shipping_key"}
	for what, other := range map[string][]byte{"exchanged": []byte("another"), "gone": nil} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			k.bucket = journaltest.NewBucket(silent{})
			j := k.open(t)
			released(t, j, keep(t, j, "a"))
			whole := bytes.Clone(k.bucket.Objects()["key/1"])
			k.bucket.Tamper("key/1", other)
			err := k.backend.Update(t.Context(), func(tx journal.Txn) error {
				if other == nil {
					return tx.Delete(table, leaf(1))
				}
				return tx.Put(table, leaf(1), other)
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := j.LookAfterBatches(t.Context()); err != nil {
				t.Error(err)
			}
			if got := k.bucket.Objects()["key/1"]; !bytes.Equal(got, whole) {
				t.Errorf("the bucket has %q", got)
			}
			if rows := rowsOf(t, k.backend, table); len(rows) != 1 || !bytes.Equal(rows[0].value, whole) {
				t.Errorf("the database has %v", rows)
			}
			k.close(t, j)
			restoredEqual(t, k)
		})
	}
}

// TestACopyMendsItsKey: a backup whose wrapped shipping key was exchanged gets the whole one with the next copy.
func TestACopyMendsItsKey(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, keep(t, j, "a"))
	to := journaltest.NewBucket(silent{})
	copied(t, k.bucket, to)
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	to.Tamper("key/1", []byte("another"))
	copied(t, k.bucket, to)
	if got := to.Objects()["key/1"]; !bytes.Equal(got, k.bucket.Objects()["key/1"]) {
		t.Errorf("the copy has %q", got)
	}
	reship(t, j) // and across a change of the key
	copied(t, k.bucket, to)
	k.close(t, j)
	k.bucket = to
	restoredEqual(t, k)
}
