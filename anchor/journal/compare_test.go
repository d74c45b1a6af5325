package journal_test

import (
	"errors"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// TestCompare: how a closed journal stands to its bucket, without either being changed.
func TestCompare(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	if _, err := journal.Compare(t.Context(), nil, k.bucket, keys()); !errors.Is(err, journal.ErrMissing) {
		t.Errorf("neither journal nor head: %v", err)
	}
	if _, err := journal.Compare(t.Context(), memory.New(memory.Config{}), k.bucket, keys()); !errors.Is(err,
		journal.ErrMissing) {
		t.Errorf("an empty journal and no head: %v", err)
	}
	compare := func(when string, backend journal.Backend, bucket journal.Bucket, want journal.Comparison) {
		t.Helper()
		if got, err := journal.Compare(t.Context(), backend, bucket, keys()); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", when, got, err, want)
		}
	}
	j := k.open(t)
	older := released(t, j, commit(t, j, noted.New(docID(1), noteData{"a", "1"})))
	earlier := k.bucket.Clone(silent{})
	released(t, j, commit(t, j, noted.New(docID(1), noteData{"b", "2"})))
	// This commit stores that the one before was shipped.
	newer := released(t, j, commit(t, j, noted.New(docID(1), noteData{"c", "3"})))
	k.close(t, j)
	size := newer.Index + 1
	compare("as it was closed", k.backend, k.bucket,
		journal.Comparison{Origin: "muniment/test", Size: size, Released: size})
	compare("without the journal", nil, k.bucket, journal.Comparison{Origin: "muniment/test", Released: size})
	compare("an empty journal", memory.New(memory.Config{}), k.bucket,
		journal.Comparison{Origin: "muniment/test", Released: size})
	if _, err := journal.Compare(t.Context(), k.backend, earlier, keys()); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("a bucket that was set back to %d: %v", older.Index+1, err)
	}
	if _, err := journal.Compare(t.Context(), k.backend, journaltest.NewBucket(silent{}), keys()); !errors.Is(err,
		journal.ErrContradicts) {
		t.Errorf("a bucket that has lost its head: %v", err)
	}

	other := newKit(t)
	other.backend = memory.New(memory.Config{})
	o := other.open(t)
	for _, name := range []string{"x", "y", "z"} {
		released(t, o, commit(t, o, noted.New(docID(2), noteData{name, "3"})))
	}
	other.close(t, o)
	_, err := journal.Compare(t.Context(), other.backend, k.bucket, keys())
	if !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("another history's bucket: %v", err)
	}
}

// TestCompareBehind: a database that was put back from a backup is behind, which the next start mends.
func TestCompareBehind(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), noteData{"a", "1"})))
	k.close(t, j)
	old := k.backend.Clone()
	j = k.open(t)
	newer := released(t, j, commit(t, j, noted.New(docID(1), noteData{"b", "2"})))
	k.close(t, j)
	got, err := journal.Compare(t.Context(), old, k.bucket, keys())
	want := journal.Comparison{Origin: "muniment/test", Size: newer.Index, Released: newer.Index + 1}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

// TestCompareSeesLostBatches by their names alone, with a journal and without.
func TestCompareSeesLostBatches(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for i := range 6 {
		released(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	names := batches(k)
	for _, name := range names[2:4] {
		k.bucket.Tamper(name, nil)
	}
	for _, backend := range []journal.Backend{k.backend, nil} {
		got, err := journal.Compare(t.Context(), backend, k.bucket, keys())
		if want := (journal.Leaves{First: 2, Count: 2}); err != nil || got.Missing != want {
			t.Errorf("%+v, %v; want %+v missing", got, err, want)
		}
	}
}
