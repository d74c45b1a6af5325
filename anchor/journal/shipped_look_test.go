package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// rewritten is the event of a sealed row that is written anew.
var rewritten journal.Type[secret] = "test.rewritten/1"

// rewriting is a kit's configuration with that event.
func (k *kit) rewriting(t testing.TB) journal.Config {
	cfg := k.config(t)
	cfg.Definitions = append(cfg.Definitions, rewritten.On(func(w *journal.Writer, _ journal.Entry, s secret) error {
		return w.Rewrite([]byte(s.Key))
	}))
	return cfg
}

// seal commits an event with a sealed row's write; a nil value erases it.
func seal(t testing.TB, j *journal.Journal, event journal.Event, key string, value []byte) journal.Receipt {
	t.Helper()
	return journaltest.Must(j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{event},
			Sealed: []journal.Row{{Key: []byte(key), Value: value}}}, nil
	}))
}

// history fills a journal with entries, and with sealed rows that are kept, written anew and erased.
func history(t testing.TB, j *journal.Journal, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprint("row-", i)
		released(t, j, seal(t, j, kept.New(docID(i), secret{name}), name, []byte("first "+name)))
		released(t, j, commit(t, j, noted.New(docID(1), note1(i))))
		if i%3 == 1 {
			old := fmt.Sprint("row-", i-1)
			released(t, j, seal(t, j, rewritten.New(docID(i-1), secret{old}), old, []byte("second "+old)))
		}
		if i%3 == 2 {
			old := fmt.Sprint("row-", i-1)
			released(t, j, seal(t, j, erased.New(docID(i-1), secret{old}), old, nil))
		}
	}
}

// sameRows restores from a kit's bucket, from nothing and from an older copy, and compares all that is replayed and all
// sealed rows with what the journal has.
func (k *kit) sameRows(t testing.TB, olds ...*memory.Store) {
	t.Helper()
	for _, old := range append(olds, memory.New(memory.Config{})) {
		fresh := newKit(t)
		fresh.backend, fresh.bucket = old.Clone(), k.bucket
		j, err := journal.Open(t.Context(), fresh.rewriting(t))
		if err != nil {
			t.Errorf("restoring: %v", err)
			continue
		}
		fresh.close(t, j)
		if got, want := kindsOf(t, fresh.backend), kindsOf(t, k.backend); got != want {
			t.Errorf("what was restored has other rows:\n%s\nwant\n%s", got, want)
		}
	}
}

// kindsOf lists the rows of a backend that a restore must bring back.
func kindsOf(t testing.TB, b journal.Backend) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(dump(t, b)) {
		if !strings.HasPrefix(line, "v.") && !strings.HasPrefix(line, "i.") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// openRewriting opens a kit whose bucket watches nothing, for tests that spoil it.
func openRewriting(t testing.TB, k *kit) *journal.Journal {
	t.Helper()
	return journaltest.Must(journal.Open(t.Context(), k.rewriting(t)))
}

// looked looks after the batches, and says what was found.
func lookedAfter(t testing.TB, j *journal.Journal) journal.ShippedHealth {
	t.Helper()
	if err := j.LookAfterBatches(t.Context()); err != nil {
		t.Errorf("looking after the batches: %v", err)
	}
	return j.ShippedHealth()
}

// typesOf counts the events of a type.
func typesOf(t testing.TB, j *journal.Journal, typ string) (n int) {
	t.Helper()
	for i := range j.Size() {
		if record, err := j.Record(t.Context(), i); err == nil && record.Type == typ {
			n++
		}
	}
	return n
}

// spoilers are the ways in which batches get lost.
var spoilers = map[string]func(b *journaltest.Bucket, names []string){
	"all are gone": func(b *journaltest.Bucket, names []string) {
		for _, name := range names {
			b.Tamper(name, nil)
		}
	},
	"every second one is gone": func(b *journaltest.Bucket, names []string) {
		for i, name := range names {
			if i%2 == 0 {
				b.Tamper(name, nil)
			}
		}
	},
	"one is damaged": func(b *journaltest.Bucket, names []string) {
		raw := b.Objects()[names[len(names)/2]]
		raw[len(raw)/2] ^= 1
		b.Tamper(names[len(names)/2], raw)
	},
	"one is cut short": func(b *journaltest.Bucket, names []string) {
		b.Tamper(names[1], b.Objects()[names[1]][:20])
	},
	"the newest is gone": func(b *journaltest.Bucket, names []string) { b.Tamper(names[len(names)-1], nil) },
}

// TestLostBatchesAreShippedAgain while the journal is open and between two starts: it goes on record once, and a
// restore gives the same rows, from nothing as from an older copy of the database.
func TestLostBatchesAreShippedAgain(t *testing.T) {
	t.Parallel()
	for what, spoil := range spoilers {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, running %v", what, running), func(t *testing.T) {
				t.Parallel()
				k := newKit(t)
				k.bucket = journaltest.NewBucket(silent{})
				j := openRewriting(t, k)
				history(t, j, 4)
				k.close(t, j)
				old := k.backend.Clone()
				j = openRewriting(t, k)
				history2(t, j)
				if before := lookedAfter(t, j); before.Batches == 0 || before.Read != before.Batches ||
					len(before.Lost) > 0 || typesOf(t, j, "journal.batches_lost/1") > 0 {
					t.Errorf("before: %+v", before)
				}
				if running {
					spoil(k.bucket, batches(k))
				} else {
					k.close(t, j)
					spoil(k.bucket, batches(k))
					j = openRewriting(t, k)
				}
				after := lookedAfter(t, j)
				if len(after.Lost) > 0 || after.Err != nil || after.ShippedAgain == 0 || !after.Since.IsZero() {
					t.Errorf("after: %+v", after)
				}
				lookedAfter(t, j)
				for _, typ := range []string{"journal.batches_lost/1", "journal.batches_restored/1"} {
					if n := typesOf(t, j, typ); n != 1 {
						t.Errorf("%d events %s", n, typ)
					}
				}
				released(t, j, commit(t, j, noted.New(docID(1), note1(9))))
				k.close(t, j)
				k.sameRows(t, old)
			})
		}
	}
}

// history2 goes on where history has ended: it writes an old row anew and erases another.
func history2(t testing.TB, j *journal.Journal) {
	t.Helper()
	released(t, j, seal(t, j, rewritten.New(docID(0), secret{"row-0"}), "row-0", []byte("third row-0")))
	released(t, j, seal(t, j, erased.New(docID(3), secret{"row-3"}), "row-3", nil))
	released(t, j, commit(t, j, noted.New(docID(1), note1(8))))
}

// TestWhatTheDatabaseHasNotStaysLost: leaves that are neither in a batch nor, as they were released, in the database
// are not shipped, and stay a finding.
func TestWhatTheDatabaseHasNotStaysLost(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := openRewriting(t, k)
	history(t, j, 4)
	lookedAfter(t, j)
	change(t, k.backend, logTable("body"), []byte{0, 0, 0, 0, 0, 0, 0, 2}, func(row []byte) []byte {
		return bytes.Replace(row, []byte(`"n0"`), []byte(`"n1"`), 1)
	})
	spoilers["all are gone"](k.bucket, batches(k))
	if err := j.LookAfterBatches(t.Context()); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("looking says %v", err)
	}
	state := j.ShippedHealth()
	if len(state.Lost) == 0 || state.Err == nil || state.Since.IsZero() || state.ShippedAgain > 0 {
		t.Errorf("%+v", state)
	}
	if len(batches(k)) > 1 { // but for what reports it
		t.Errorf("leaves that were changed were shipped: %v", batches(k))
	}
	if n := typesOf(t, j, "journal.batches_restored/1"); n > 0 {
		t.Error("it is on record that they were restored")
	}
	k.close(t, j)
}

// TestABucketThatIsAwayLosesNothing: that nothing can be listed or read is no loss.
func TestABucketThatIsAwayLosesNothing(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := openRewriting(t, k)
	history(t, j, 4)
	lookedAfter(t, j)
	for _, op := range []string{"list", "get"} {
		k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
			if c.Op == op {
				return journaltest.Fails
			}
			return journaltest.Works
		})
		if err := j.LookAfterBatches(t.Context()); !errors.Is(err, journaltest.ErrFault) {
			t.Errorf("%s fails, and looking says %v", op, err)
		}
		if state := j.ShippedHealth(); state.Err == nil || len(state.Lost) > 0 || state.ShippedAgain > 0 {
			t.Errorf("%s fails: %+v", op, state)
		}
		k.bucket.Inject(nil)
	}
	lookedAfter(t, j)
	if n := typesOf(t, j, "journal.batches_lost/1"); n > 0 {
		t.Error("it is on record that batches are lost")
	}
	k.close(t, j)
	k.sameRows(t)
}

// TestAnyLossIsMadeGood loses and damages any batches of any history.
func TestAnyLossIsMadeGood(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		k := newKit(t)
		k.tail = rapid.SampledFrom([]int{1, 2000}).Draw(rt, "tail")
		k.bucket = journaltest.NewBucket(silent{})
		j := k.open(t)
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			randomStep(rt, t, j, k, map[string]string{})
			if rapid.Bool().Draw(rt, "wait") {
				released(t, j, commit(t, j, looked.New(docID(1), noteData{})))
			}
		}
		released(t, j, commit(t, j, looked.New(docID(1), noteData{})))
		for _, name := range batches(k) {
			switch rapid.IntRange(0, 3).Draw(rt, "fate") {
			case 0:
				k.bucket.Tamper(name, nil)
			case 1:
				k.bucket.Tamper(name, []byte("not a batch"))
			}
		}
		if err := j.LookAfterBatches(t.Context()); err != nil {
			rt.Error(err)
		}
		released(t, j, commit(t, j, looked.New(docID(1), noteData{})))
		k.close(t, j)
		if found := k.fsckKeys(t); len(found) > 0 {
			rt.Errorf("fsck: %v", first(found))
		}
		k.sameRows(t)
	})
}

// TestMergesGoOnAfterARestart: batches that an earlier process has shipped and not merged are merged by the next, and
// those that a merge which was broken off has left are deleted.
func TestMergesGoOnAfterARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("it ships 500 batches; left out by -short")
	}
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for i := range 200 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	j = k.open(t)
	lookedAfter(t, j)
	if n := len(batches(k)); n < 200 {
		t.Fatalf("%d batches after 200 releases: they were merged too early", n)
	}
	var broken atomic.Bool
	k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if c.Op == "delete" {
			broken.Store(true)
		}
		if c.Op == "delete" && c.N%5 != 0 {
			return journaltest.Fails
		}
		return journaltest.Works
	})
	for i := range 300 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
		if broken.Load() {
			break
		}
	}
	if !broken.Load() {
		t.Fatal("what the earlier process has shipped is not merged")
	}
	k.close(t, j)
	left := len(batches(k))
	k.bucket.Inject(nil)
	j = k.open(t)
	lookedAfter(t, j)
	// The batches of one merge are gone; what was shipped while it went on is there.
	if n := len(batches(k)); left-n < 250 {
		t.Errorf("%d batches were left by the merge that was broken off, and %d are there after the next start",
			left, n)
	}
	k.close(t, j)
	restoredEqual(t, k)
	if found := k.fsck(t); len(found) > 0 {
		t.Error(first(found))
	}
}

// TestAChainGoesRoundADeadEnd: an orphan that a chain could follow first leads nowhere, and the chain goes on by
// another batch.
func TestAChainGoesRoundADeadEnd(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	for i := range 6 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	all := k.bucket.Objects()
	names := batches(k)
	for _, name := range names[:4] { // shipped again as one
		k.bucket.Tamper(name, nil)
	}
	j = k.open(t)
	lookedAfter(t, j)
	released(t, j, commit(t, j, looked.New(docID(1), noteData{})))
	k.close(t, j)
	for _, name := range names[2:4] { // which end where the new one does, and lead to nothing
		k.bucket.Tamper(name, all[name])
	}
	restoredEqual(t, k)
}
