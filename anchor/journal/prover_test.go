package journal_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/journal"
)

// TestProver: an entry that was changed together with the tile above it is not proved, and all that were not are.
func TestProver(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	defer k.close(t, j)
	for i := range 600 { // more than two tiles
		commit(t, j, noted.New(docID(i%7+1), note1(i)))
	}
	prove := func() (failed []uint64) {
		err := j.View(t.Context(), func(r journal.Reader) error {
			prover, err := j.Prover(r)
			if err != nil {
				return err
			}
			for at := range j.Size() {
				rec, err := prover.Record(at)
				if err != nil && !errors.Is(err, journal.ErrDamaged) {
					return err
				}
				if err != nil {
					failed = append(failed, at)
				} else if rec.Index != at {
					t.Fatalf("entry %d says %d", at, rec.Index)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return failed
	}
	if failed := prove(); failed != nil {
		t.Fatalf("not proved: %v", failed)
	}
	body := journal.Table{Kind: journal.Log, Name: "body"}
	tile := journal.Table{Kind: journal.Log, Name: "tile"}
	row := rowsOf(t, k.backend, body)[5]
	forged := bytes.Replace(row.value, []byte("test.noted/1"), []byte("test.looked1"), 1)
	entry := sha256.Sum256(forged[1:]) // the row begins with its format; nonce and body follow
	leaf := tlog.RecordHash(entry[:])
	tiles := rowsOf(t, k.backend, tile)
	err := k.backend.Update(t.Context(), func(tx journal.Txn) error {
		changed := bytes.Clone(tiles[0].value)
		copy(changed[5*32:], leaf[:])
		return errors.Join(tx.Put(body, row.key, forged), tx.Put(tile, tiles[0].key, changed))
	})
	if err != nil {
		t.Fatal(err)
	}
	if failed := prove(); len(failed) != 256 {
		t.Errorf("%d entries are not proved, want the 256 of the changed tile", len(failed))
	}
}
