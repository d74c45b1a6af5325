package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

func TestReceiptProvesItself(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	defer k.close(t, j)
	for i := range 600 { // more than two tiles
		r := commit(t, j, noted.New(docID(i%7+1), note1(i)))
		if i%97 != 0 {
			continue
		}
		r = released(t, j, r)
		c := j.Checkpoint()
		if err := tlog.CheckRecord(r.Proof, int64(c.Size), c.Root, int64(r.Index),
			tlog.RecordHash(r.Leaf[:])); err != nil {
			t.Fatalf("leaf %d: %v", r.Index, err)
		}
		verifier, err := note.NewVerifier(j.VerifierKey())
		if err != nil {
			t.Fatal(err)
		}
		opened, err := note.Open(r.Checkpoint, note.VerifierList(verifier))
		if err != nil {
			t.Fatalf("checkpoint: %v", err)
		}
		if want := fmt.Sprintf("muniment/test\n%d\n%s\n", c.Size, c.Root); opened.Text != want {
			t.Fatalf("checkpoint is %q, want %q", opened.Text, want)
		}
	}
	proof, err := j.ProveConsistency(t.Context(), 100, 500)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := j.RootAt(t.Context(), 100)
	root, _ := j.RootAt(t.Context(), 500)
	if err := tlog.CheckTree(proof, 500, root, 100, old); err != nil {
		t.Fatal(err)
	}
}

func note1(i int) noteData { return noteData{Name: fmt.Sprint("n", i%5), Text: fmt.Sprint(i)} }

func TestRefusalsSpoilNobody(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	refused := errors.New("refused")
	cases := map[string]struct {
		change journal.Change
		err    error
	}{
		"a refusal": {journal.Change{}, refused},
		"a denial on record": {journal.Change{Events: []journal.Event{looked.New(journal.ID{}, noteData{})}},
			refused},
		"a failing reducer": {journal.Change{Events: []journal.Event{broken.New(journal.ID{},
			noteData{Name: "broken"})}}, nil},
		"a panicking reducer": {journal.Change{Events: []journal.Event{panics.New(journal.ID{}, noteData{})}}, nil},
		"an unknown type":     {journal.Change{Events: []journal.Event{{Type: "test.unknown/1"}}}, nil},
		"a body too large": {journal.Change{Events: []journal.Event{noted.New(journal.ID{},
			noteData{Name: "x", Text: string(bytes.Repeat([]byte("x"), journal.MaxBody))})}}, nil},
		"an unbound sealed row": {journal.Change{Events: []journal.Event{looked.New(journal.ID{}, noteData{})},
			Sealed: []journal.Row{{Key: []byte("k"), Value: []byte("v")}}}, nil},
		"a bound row not there": {journal.Change{Events: []journal.Event{kept.New(journal.ID{}, secret{"k"})}}, nil},
		"rows without events":   {journal.Change{Sealed: []journal.Row{{Key: []byte("k"), Value: []byte("v")}}}, nil},
	}
	var wg sync.WaitGroup
	for name, c := range cases {
		for i := range 20 {
			wg.Add(2)
			go func() {
				defer wg.Done()
				_, err := j.Commit(t.Context(), alice,
					func(journal.View) (journal.Change, error) { return c.change, c.err })
				if err == nil || c.err != nil && !errors.Is(err, c.err) {
					t.Errorf("%s: error is %v", name, err)
				}
			}()
			go func() {
				defer wg.Done()
				commit(t, j, noted.New(journal.ID{}, noteData{Name: fmt.Sprint(name, i), Text: "good"}))
			}()
		}
	}
	wg.Wait()
	if want := uint64(1 + 20*len(cases) + 20); j.Size() != want {
		t.Errorf("size is %d, want %d: the good events, and the denials", j.Size(), want)
	}
	k.close(t, j)
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %v", found)
	}
}

func TestRestoreFromRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("it ships 700 batches; left out by -short")
	}
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for i := range 700 { // enough batches to be merged
		released(t, j, commit(t, j, noted.New(docID(i%3+1), note1(i))))
	}
	_, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{
			Events: []journal.Event{kept.New(journal.ID{}, secret{"k"})},
			Sealed: []journal.Row{{Key: []byte("k"), Value: []byte("sealed k")}},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	last := released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	want := j.Checkpoint()
	k.close(t, j)

	fresh := newKit(t)
	fresh.bucket = k.bucket
	cfg := fresh.config(t)
	cfg.Create = false
	restored, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("restoring: %v", err)
	}
	if got := restored.Checkpoint(); got.Size != want.Size || got.Root != want.Root ||
		!bytes.Equal(got.Note, want.Note) {
		t.Errorf("restored to %d %v, want %d %v", got.Size, got.Root, want.Size, want.Root)
	}
	r, err := restored.Receipt(t.Context(), last.Index)
	if err != nil || !bytes.Equal(r.Body, last.Body) {
		t.Errorf("the last receipt is %q, %v", r.Body, err)
	}
	err = restored.View(t.Context(), func(r journal.Reader) error {
		row, err := journal.SealedRow(r, []byte("k"))
		if string(row) != "sealed k" {
			t.Errorf("the sealed row is %q", row)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if n, err := restored.Reindex(t.Context(), tokensOf); n != 1 || err != nil {
		t.Errorf("reindexing: %d, %v", n, err)
	}
	fresh.close(t, restored)
	if found := fresh.fsckKeys(t); len(found) > 0 {
		t.Errorf("fsck: %v", found)
	}
}

func TestOldBackendCatchesUpOrIsRefused(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	k.close(t, j)

	old := newKit(t) // restores to what is released now: an old backup
	old.bucket = k.bucket.Clone(t)
	old.close(t, old.open(t))

	j = k.open(t)
	for i := range 20 {
		released(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	want := j.Checkpoint()
	k.close(t, j)

	behind := &kit{backend: old.backend, bucket: k.bucket, clock: k.clock}
	caught := behind.open(t)
	if got := caught.Checkpoint(); got.Root != want.Root || got.Size != want.Size {
		t.Errorf("caught up to %d, want %d", got.Size, want.Size)
	}
	behind.close(t, caught)
}

func TestSecondHistoryIsRefused(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))

	// The same journal, failed over to another machine: both go on from the same head.
	other := newKit(t)
	other.bucket = k.bucket
	cfg := other.config(t)
	cfg.Rand = journaltest.Rand(2)
	twin, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	released(t, twin, commit(t, twin, noted.New(docID(1), note1(2))))
	r := commit(t, j, noted.New(docID(1), note1(3)))
	if _, err := j.Released(t.Context(), r); !errors.Is(err, journal.ErrStopped) {
		t.Errorf("the second history's release says %v, want %v", err, journal.ErrStopped)
	}
	if !errors.Is(j.Err(), journal.ErrContradicts) {
		t.Errorf("it stopped because of %v", j.Err())
	}
	if _, err := j.Commit(t.Context(), alice,
		func(journal.View) (journal.Change, error) { return journal.Change{}, nil }); !errors.Is(err,
		journal.ErrStopped) {
		t.Errorf("a commit after that says %v", err)
	}
	k.close(t, j)
	other.close(t, twin)
	if _, err := journal.Open(t.Context(), k.config(t)); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("opening it again says %v, want %v", err, journal.ErrContradicts)
	}
}

func TestAuthorityIsNeverCreatedSilently(t *testing.T) {
	t.Parallel()
	cfg := newKit(t).config(t)
	cfg.Create = false
	if _, err := journal.Open(context.Background(), cfg); !errors.Is(err, journal.ErrMissing) {
		t.Errorf("opening nothing says %v, want %v", err, journal.ErrMissing)
	}
}
