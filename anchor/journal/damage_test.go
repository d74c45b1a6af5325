package journal_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/memory"
)

// change changes one row behind the journal's back.
func change(t *testing.T, b journal.Backend, table journal.Table, key []byte, fn func([]byte) []byte) {
	t.Helper()
	err := b.Update(t.Context(), func(tx journal.Txn) error {
		row, err := tx.Get(table, key)
		if err != nil {
			return err
		}
		return tx.Put(table, key, fn(bytes.Clone(row)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func logTable(name string) journal.Table { return journal.Table{Kind: journal.Log, Name: name} }

// TestReadsCheckTheirRows: a body, tile, story or list that was changed while the journal is open is not given out.
func TestReadsCheckTheirRows(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	var events []journal.Event
	for i := range 600 {
		events = append(events, looked.New(docID(i+1), noteData{Name: "naaame"}))
	}
	released(t, j, commit(t, j, events...))
	damaged := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("%s gives %v", what, err)
		}
	}
	change(t, k.backend, logTable("body"), []byte{0, 0, 0, 0, 0, 0, 0, 7}, func(row []byte) []byte {
		return bytes.Replace(row, []byte("naaame"), []byte("naabme"), 1)
	})
	_, err := j.Record(t.Context(), 7)
	damaged("reading a changed body", err)
	_, err = j.Receipt(t.Context(), 7)
	damaged("the receipt of a changed body", err)
	_, _, err = storyOf(t, j, docID(7), 0, 100)
	damaged("the story of a changed body", err)
	_, err = j.Records(t.Context(), "default", 0, 100)
	damaged("a list with a changed body", err)

	change(t, k.backend, logTable("tile"), []byte{0, 0, 0, 0, 0, 0, 0, 0, 1}, func(row []byte) []byte {
		row[320] ^= 1
		return row
	})
	_, err = j.ProveInclusion(t.Context(), 256+11, j.Size())
	damaged("a proof over a changed tile", err)

	last := rowsOf(t, k.backend, logTable("story"))
	change(t, k.backend, logTable("story"), last[20].key, func([]byte) []byte { return last[21].value })
	_, _, err = storyOf(t, j, journal.ID(last[20].key), 0, 100)
	damaged("a story that leads to another document's", err)
	k.close(t, j)
}

// TestFsckSeesStrayRows: rows that nothing of ours writes.
func TestFsckSeesStrayRows(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, keep(t, j, "k"))
	k.close(t, j)
	stray := journal.Table{Kind: journal.Sealed, Name: "stray"}
	unindexed := journal.Table{Kind: journal.Volatile, Name: "unindexed"}
	change := journal.Table{Kind: journal.Volatile, Name: "change"}
	err := k.backend.Update(t.Context(), func(tx journal.Txn) error {
		return errors.Join(tx.Put(stray, []byte("x"), []byte("x")), tx.Put(unindexed, []byte("x"), []byte("x")),
			tx.Put(change, []byte("x"), []byte("x")))
	})
	if err != nil {
		t.Fatal(err)
	}
	found := k.fsck(t)
	for _, table := range []journal.Table{change, stray, unindexed} {
		if !slices.ContainsFunc(found, func(f journal.Finding) bool { return f.Table == table }) {
			t.Errorf("fsck does not name %s: %s", table, first(found))
		}
	}
}

// TestScanShowsOneMoment: what a reducer writes while it scans does not change what it sees, in its own change or in a
// replay.
func TestScanShowsOneMoment(t *testing.T) {
	t.Parallel()
	table := journal.Table{Kind: journal.Projection, Name: "test.cascade"}
	event := journal.Type[noteData]("test.cascade/1")
	definition := event.On(func(w *journal.Writer, _ journal.Entry, n noteData) error {
		if n.Name == "put" {
			return errors.Join(w.Put(table, []byte("a"), []byte("v")), w.Put(table, []byte("b"), []byte("v")),
				w.Put(table, []byte("c"), []byte("v")))
		}
		var seen []byte
		err := w.Scan(table, journal.Range{}, func(key, _ []byte) error {
			seen = append(seen, key...)
			return w.Delete(table, []byte("b"))
		})
		return errors.Join(err, w.Put(table, []byte("seen"), seen))
	})
	k := newKit(t)
	cfg := k.config(t)
	cfg.Definitions = append(cfg.Definitions, definition)
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, j, event.New(journal.ID{}, noteData{Name: "put"}), event.New(journal.ID{}, noteData{Name: "scan"}))
	k.close(t, j)
	found, err := journal.Fsck(t.Context(), journal.FsckConfig{
		Backend: k.backend, Bucket: k.bucket, Definitions: cfg.Definitions, Scratch: memory.New(memory.Config{}),
	})
	if err != nil || len(found) > 0 {
		t.Errorf("fsck: %v, %v", found, err)
	}
}

// TestLeaseOfUnknownOutcome: a transaction without events stops the journal too when its outcome is unknown.
func TestLeaseOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	armed := false
	k.backend = memory.New(memory.Config{Commit: func(int) memory.Outcome {
		if armed {
			return memory.Lost
		}
		return memory.Done
	}})
	j := k.open(t)
	released(t, j, commit(t, j, chore.New(docID(1), noteData{})))
	k.clock.Advance(time.Second)
	armed = true
	_, err := j.WorkOnce(t.Context(),
		journal.Worker{Kind: "chore", Batch: 3, Do: func(context.Context, []journal.Duty) ([]journal.Outcome, error) {
			t.Error("work is done without a lease")
			return nil, nil
		}})
	if !errors.Is(err, journal.ErrStopped) || j.Err() == nil {
		t.Errorf("it says %v, and the journal %v", err, j.Err())
	}
	k.close(t, j)
}

// TestEdgesOfCalls: numbers and batches at their ends.
func TestEdgesOfCalls(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	commit(t, j, chore.New(docID(1), noteData{}))
	if records, err := j.Records(t.Context(), "default", math.MaxUint64, 10); len(records) != 0 || err != nil {
		t.Errorf("after the greatest number there are %d records, %v", len(records), err)
	}
	for _, batch := range []int{0, -1, 1001} {
		if _, err := j.WorkOnce(t.Context(), journal.Worker{Kind: "chore", Batch: batch}); err == nil {
			t.Errorf("a batch of %d is taken", batch)
		}
	}
	n, err := j.WorkOnce(t.Context(),
		journal.Worker{Kind: "chore", Batch: 3,
			Do: func(_ context.Context, due []journal.Duty) ([]journal.Outcome, error) {
				return []journal.Outcome{{Duty: due[0]}, {Duty: due[0]}}, nil
			}})
	if err != nil || n == 0 {
		t.Errorf("a duty named twice: %d, %v", n, err)
	}
	if r, err := j.Released(t.Context(), journal.Receipt{}); err != nil || r.Proof != nil {
		t.Errorf("the receipt of nothing has a proof: %v", err)
	}
	k.close(t, j)
}
