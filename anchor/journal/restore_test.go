package journal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

func shipped(t testing.TB, j *journal.Journal, r journal.Receipt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := j.Shipped(ctx, r); err != nil {
		t.Fatal(err)
	}
}

// keep commits a secret with its sealed row; erase commits its erasure.
func keep(t testing.TB, j *journal.Journal, key string) journal.Receipt {
	t.Helper()
	return journaltest.Must(j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		row := journal.Row{Key: []byte(key), Value: []byte("sealed " + key), Tokens: [][]byte{[]byte("token-" + key)}}
		return journal.Change{Events: []journal.Event{kept.New(docID(1), secret{key})}, Sealed: []journal.Row{row}}, nil
	}))
}

func erase(t testing.TB, j *journal.Journal, key string) journal.Receipt {
	t.Helper()
	return journaltest.Must(j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{erased.New(docID(1), secret{key})},
			Sealed: []journal.Row{{Key: []byte(key), Tokens: [][]byte{[]byte("token-" + key)}}}}, nil
	}))
}

// silent reports nothing: a test that lets a bucket lose its history must not fail for that.
type silent struct{}

func (silent) Helper()               {}
func (silent) Errorf(string, ...any) {}

// TestRestoreAfterBrokenMerge breaks the deletes of a merge off after each number of them.
func TestRestoreAfterBrokenMerge(t *testing.T) {
	if testing.Short() {
		t.Skip("it ships 1,040 batches; left out by -short")
	}
	t.Parallel()
	for _, broken := range []int{1, 2, 100, 255} {
		k := newKit(t)
		j := k.open(t)
		var (
			mu      sync.Mutex
			deletes int
		)
		done := make(chan struct{})
		k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
			if c.Op != "delete" {
				return journaltest.Works
			}
			mu.Lock()
			defer mu.Unlock()
			if deletes++; deletes == broken {
				close(done)
			}
			if deletes > broken {
				return journaltest.Fails
			}
			return journaltest.Works
		})
		for i := range 260 {
			shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
		}
		<-done
		k.close(t, j)
		k.bucket.Inject(nil)
		restoredEqual(t, k)
		if found := k.fsck(t); len(found) > 0 {
			t.Errorf("after %d deletes fsck says %s", broken, first(found))
		}
	}
}

// TestBatchThatRunsInCircles: a batch that claims to follow itself is refused, not followed for ever.
func TestBatchThatRunsInCircles(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	for i := range 3 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	var head struct {
		Size      uint64
		Root      journal.Hash
		LastBatch string
	}
	if err := json.Unmarshal(k.bucket.Objects()["head"], &head); err != nil { // it has no tail
		t.Fatal(err)
	}
	raw := k.bucket.Objects()[head.LastBatch]
	lines := bytes.SplitN(raw[:len(raw)-sha256.Size], []byte("\n"), 3)
	var header map[string]any
	if err := json.Unmarshal(lines[1], &header); err != nil {
		t.Fatal(err)
	}
	header["first"], header["prevRoot"], header["prev"] = head.Size, head.Root, head.LastBatch
	lines[1] = journaltest.Must(json.Marshal(header))
	forged := bytes.Join(lines, []byte("\n"))
	sum := sha256.Sum256(forged)
	k.bucket.Tamper(head.LastBatch, append(forged, sum[:]...))
	fresh := newKit(t)
	fresh.bucket = k.bucket
	if _, err := journal.Open(t.Context(), fresh.config(t)); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("restoring says %v", err)
	}
}

// TestForkIsToldAsOne: a database that went on by itself after the released head is refused as a contradiction,
// whoever's event it is that differs.
func TestForkIsToldAsOne(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	k.close(t, j)
	fork := newKit(t)
	fork.bucket = k.bucket.Clone(silent{})
	other := fork.open(t)
	fork.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	journaltest.Must(other.Commit(t.Context(), journal.Actor{Tenant: "other", ID: "bob"},
		func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{noted.New(docID(9), note1(9))}}, nil
		}))
	fork.close(t, other)
	j = k.open(t)
	for i := range 3 {
		released(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	fork.bucket = k.bucket
	if _, err := journal.Open(t.Context(), fork.config(t)); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("opening the fork says %v", err)
	}
}

// TestBucketThatWentBack: a bucket put back to an earlier head has lost sealed rows that are not waiting any more.
func TestBucketThatWentBack(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	old := k.bucket.Clone(silent{})
	released(t, j, keep(t, j, "k"))
	for i := range 2 { // these commits carry the note that the row was shipped
		released(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	k.bucket = old
	if _, err := journal.Open(t.Context(), k.config(t)); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("opening says %v", err)
	}
}

// firstUpdate calls a hook before the first transaction.
type firstUpdate struct {
	journal.Backend
	once sync.Once
	hook func()
}

func (f *firstUpdate) Update(ctx context.Context, fn func(journal.Txn) error) error {
	f.once.Do(f.hook)
	return f.Backend.Update(ctx, fn)
}

// TestTwoCreators: a process that finds nothing and is overtaken before it can create takes what the other has created.
func TestTwoCreators(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cfg := k.config(t)
	cfg.Rand = journaltest.Rand(7)
	cfg.Backend = &firstUpdate{Backend: k.backend.Reopen(memory.Config{}), hook: func() {
		j := k.open(t)
		for i := range 5 {
			released(t, j, commit(t, j, noted.New(docID(1), note1(i))))
		}
		k.close(t, j)
	}}
	late, err := journal.Open(t.Context(), cfg)
	if err == nil {
		if late.Size() < 6 {
			t.Errorf("the late one has %d entries", late.Size())
		}
		if err := late.Close(); err != nil {
			t.Error(err)
		}
	}
	k.backend = k.backend.Reopen(memory.Config{})
	if found := k.fsck(t); len(found) > 0 {
		t.Errorf("fsck: %s", first(found))
	}
}

// TestTwoGateways: two journals on one database and one bucket commit and release in turn.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	a := k.open(t)
	cfg := k.config(t)
	cfg.Backend, cfg.Rand = k.backend.Reopen(memory.Config{}), journaltest.Rand(2)
	b, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		commit(t, a, noted.New(docID(1), note1(i)))
		commit(t, b, noted.New(docID(2), note1(i)))
	}
	released(t, a, commit(t, a, noted.New(docID(1), note1(1))))
	released(t, b, commit(t, b, noted.New(docID(2), note1(2))))
	if a.Err() != nil || b.Err() != nil {
		t.Errorf("they stopped: %v, %v", a.Err(), b.Err())
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	k.close(t, a)
	if found := k.fsckKeys(t); len(found) > 0 {
		t.Errorf("fsck: %s", first(found))
	}
}

// TestChangesAreShippedWhole: with more waiting than fits into a batch, the head never stands in the middle of a
// change.
func TestChangesAreShippedWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 13 MiB; left out by -short")
	}
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	down, heads := true, 0
	k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if c.Op == "put" && c.Name == "head" && !down {
			heads++
		}
		if down || heads > 1 {
			return journaltest.Fails
		}
		return journaltest.Works
	})
	long := strings.Repeat("x", 30<<10)
	for i := range 150 { // nearly 13 MiB
		key := "k" + strings.Repeat("0", 900) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		journaltest.Must(j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
			return journal.Change{
				Events: []journal.Event{
					looked.New(docID(1), noteData{Text: long}), kept.New(docID(1), secret{key}),
					looked.New(docID(1), noteData{Text: long}),
				},
				Sealed: []journal.Row{{Key: []byte(key), Value: []byte("sealed " + key)}},
			}, nil
		}))
	}
	k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if c.Op == "put" && c.Name == "head" {
			heads++
		}
		if heads > 1 {
			return journaltest.Fails
		}
		return journaltest.Works
	})
	shipped(t, j, journal.Receipt{Index: 1})
	k.close(t, j)
	k.bucket.Inject(nil)
	fresh := newKit(t)
	fresh.bucket = k.bucket
	j = fresh.open(t)
	if size := j.Size(); size < 100 || size > 400 {
		t.Errorf("restored to %d entries: the test means to cut once", size)
	}
	fresh.close(t, j)
	if found := fresh.fsck(t); len(found) > 0 {
		t.Errorf("fsck after a restore from half of it: %s", first(found))
	}
}

// TestErasedBeforeReindex: a row that is erased before its tokens were computed again needs none.
func TestErasedBeforeReindex(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	keep(t, j, "gone")
	released(t, j, keep(t, j, "stays"))
	k.close(t, j)
	fresh := newKit(t)
	fresh.bucket = k.bucket
	j = fresh.open(t)
	released(t, j, erase(t, j, "gone"))
	if n, err := j.Reindex(t.Context(), tokensOf); n != 1 || err != nil {
		t.Errorf("reindexing: %d, %v", n, err)
	}
	fresh.close(t, j)
}
