package journal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
)

// copying is what copies one bucket to another.
func copying(from, to journal.Bucket) journal.CopyConfig {
	return journal.CopyConfig{ShippingKeys: keys(), From: from, To: to}
}

// copied copies a bucket, checks the copy as a backup does, and gives it its head.
func copied(t *testing.T, from, to journal.Bucket) *journal.Copied {
	t.Helper()
	c, err := journal.CopyReleased(t.Context(), copying(from, to))
	if err != nil {
		t.Fatal(err)
	}
	found, err := checkReleased(t, to, c.Head, c.Before)
	if err != nil || len(found) > 0 {
		t.Fatalf("checking the copy: %v, %v", found, err)
	}
	if err := c.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func checkReleased(t *testing.T, b journal.Bucket, head journal.ReleasedHead,
	before ...journal.ReleasedHead) ([]journal.Finding, error) {
	t.Helper()
	return journal.CheckReleased(t.Context(), journal.CheckConfig{
		ShippingKeys: keys(),
		Bucket:       b, Head: head, Before: before, Definitions: definitions(), Scratch: memory.New(memory.Config{}),
		Tokens: tokensOf,
	})
}

// TestCopyIsIncremental: a second copy fetches what is new, and the copy restores what the bucket does.
func TestCopyIsIncremental(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	keep(t, j, "k")
	for i := range 20 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	to := journaltest.NewBucket(t)
	first := copied(t, k.bucket, to)
	if first.Before.Size != 0 || first.Batches < 20 || first.Bytes == 0 {
		t.Errorf("the first copy fetched %d batches of %d bytes, after one of size %d",
			first.Batches, first.Bytes, first.Before.Size)
	}
	if again := copied(t, k.bucket, to); again.Batches != 0 || again.Head.Size != first.Head.Size {
		t.Errorf("nothing is new, and %d batches were fetched", again.Batches)
	}
	shipped(t, j, erase(t, j, "k"))
	k.close(t, j)
	second := copied(t, k.bucket, to)
	if second.Before.Size != first.Head.Size || second.Batches != 1 || second.Head.Size != first.Head.Size+1 {
		t.Errorf("the second copy went from %d to %d with %d batches",
			second.Before.Size, second.Head.Size, second.Batches)
	}
	k.bucket = to
	restoredEqual(t, k)
}

// TestCopyOfABusyBucket copies again and again while the journal releases and merges batches.
func TestCopyOfABusyBucket(t *testing.T) {
	if testing.Short() {
		t.Skip("it ships 1,500 batches; left out by -short")
	}
	t.Parallel()
	k := newKit(t)
	k.tail = 1 << 10 // some heads have a tail, and some have none
	j := k.open(t)
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range 1500 {
			shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
		}
	})
	var to *journaltest.Bucket
	for size := uint64(0); size < 1400; {
		to = journaltest.NewBucket(t)
		size = copied(t, k.bucket, to).Head.Size
	}
	writer.Wait()
	k.close(t, j)
	copied(t, k.bucket, to)
	k.bucket = to
	restoredEqual(t, k)
}

// listsLate gives out an earlier list of names first, as a list that was taken just before a merge.
type listsLate struct {
	journal.Bucket
	once  sync.Once
	early []string
}

func (b *listsLate) List(ctx context.Context, prefix string) (names []string, err error) {
	b.once.Do(func() { names = b.early })
	if names != nil {
		return names, nil
	}
	return b.Bucket.List(ctx, prefix)
}

func TestCopyThroughAMerge(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	var early []string
	deletes, merged := 0, make(chan struct{})
	k.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if c.Op != "delete" {
			return journaltest.Works
		}
		if deletes++; deletes == 256 {
			close(merged)
		}
		return journaltest.Works
	})
	for i := range 300 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
		if i == 250 {
			early = journaltest.Must(k.bucket.List(t.Context(), "batch/"))
		}
	}
	<-merged
	k.close(t, j)
	to := journaltest.NewBucket(t)
	copied(t, &listsLate{Bucket: k.bucket, early: early}, to)
	k.bucket = to
	restoredEqual(t, k)
}

// TestCopyGoesOn: one that is broken off at each write goes on where it stopped, and has no head before it is whole.
func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for i := range 12 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	for _, fault := range []journaltest.Fault{journaltest.Fails, journaltest.FailsDone} {
		to := journaltest.NewBucket(t)
		tries := 0
		for {
			puts := 0
			to.Inject(func(c journaltest.Call) journaltest.Fault {
				if c.Op == "put" {
					if puts++; puts == 4 {
						return fault
					}
				}
				return journaltest.Works
			})
			c, err := journal.CopyReleased(t.Context(), copying(k.bucket, to))
			if tries++; err == nil {
				if err := c.Finish(t.Context()); err != nil {
					t.Fatal(err)
				}
				break
			}
			if !errors.Is(err, journaltest.ErrFault) || tries > 10 {
				t.Fatalf("after %d tries: %v", tries, err)
			}
			if _, err := journal.ReadReleased(t.Context(), to, keys()); !errors.Is(err, journal.ErrDamaged) {
				t.Fatalf("half a copy has a head: %v", err)
			}
		}
		if tries < 3 {
			t.Errorf("it took %d tries: the test means to break it off", tries)
		}
		to.Inject(nil)
		if diff := cmp.Diff(withoutLease(k.bucket), to.Objects()); diff != "" {
			t.Errorf("the copy differs (-bucket +copy):\n%s", diff)
		}
	}
}

// withoutLease is what a bucket holds but for the lease, which belongs to a server and to no copy.
func withoutLease(b *journaltest.Bucket) map[string][]byte {
	objects := b.Objects()
	delete(objects, "lease")
	return objects
}

// TestCopyMendsItself: a batch of the copy that was damaged is fetched again.
func TestCopyMendsItself(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for i := range 3 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	to := journaltest.NewBucket(silent{})
	copied(t, k.bucket, to)
	name := batchAt(t, to, 2)
	to.Tamper(name, flip(to.Objects()[name]))
	if c := copied(t, k.bucket, to); c.Batches != 1 {
		t.Errorf("%d batches were fetched to mend one", c.Batches)
	}
	if diff := cmp.Diff(withoutLease(k.bucket), to.Objects()); diff != "" {
		t.Errorf("the copy differs (-bucket +copy):\n%s", diff)
	}
}

// TestCopyRefuses: a copy never goes back, and never changes to another history.
func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	shipped(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	old := k.bucket.Clone(silent{})
	shipped(t, j, commit(t, j, noted.New(docID(1), note1(2))))
	k.close(t, j)

	other := newKit(t)
	cfg := other.config(t)
	cfg.Origin = "muniment/other"
	stranger := journaltest.Must(journal.Open(t.Context(), cfg))
	for i := range 5 {
		shipped(t, stranger, commit(t, stranger, noted.New(docID(1), note1(i))))
	}
	other.close(t, stranger)

	fork := newKit(t)
	fork.bucket = old.Clone(silent{})
	j = fork.open(t)
	shipped(t, j, commit(t, j, noted.New(docID(1), note1(3)))) // as large as the first, and another
	longer := fork.bucket.Clone(silent{})
	fork.bucket = longer
	shipped(t, j, commit(t, j, noted.New(docID(1), note1(4))))
	fork.close(t, j)

	for what, from := range map[string]*journaltest.Bucket{"an older one": old, "another origin": other.bucket} {
		to := k.bucket.Clone(silent{})
		before := to.Objects()
		if _, err := journal.CopyReleased(t.Context(), copying(from, to)); !errors.Is(err,
			journal.ErrContradicts) {
			t.Errorf("copying %s over it says %v", what, err)
		}
		if diff := cmp.Diff(before, to.Objects()); diff != "" {
			t.Errorf("copying %s has changed the copy:\n%s", what, diff)
		}
	}
	if _, err := journal.CopyReleased(t.Context(),
		copying(journaltest.NewBucket(t), old)); !errors.Is(err, journal.ErrMissing) {
		t.Errorf("copying nothing says %v", err)
	}
}

// TestCheckSeesAFork: a longer history that leaves out what the copy had is no successor of it.
func TestCheckSeesAFork(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	shipped(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	old := k.bucket.Clone(silent{})
	shipped(t, j, commit(t, j, noted.New(docID(1), note1(2))))
	k.close(t, j)
	fork := newKit(t)
	fork.bucket = old
	j = fork.open(t)
	for i := range 3 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(3+i))))
	}
	fork.close(t, j)
	to := k.bucket.Clone(silent{})
	c, err := journal.CopyReleased(t.Context(), journal.CopyConfig{ShippingKeys: keys(), From: fork.bucket, To: to})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkReleased(t, to, c.Head, c.Before); !errors.Is(err, journal.ErrContradicts) {
		t.Errorf("checking says %v", err)
	}
	if head := journaltest.Must(journal.ReadReleased(t.Context(), to, keys())); head.Size != c.Before.Size {
		t.Errorf("the copy's head has moved to %d", head.Size)
	}
}

// batchAt is the name of the batch that begins at a leaf.
func batchAt(t *testing.T, b *journaltest.Bucket, first int) string {
	t.Helper()
	names := journaltest.Must(b.List(t.Context(), fmt.Sprintf("batch/%016d-", first)))
	if len(names) != 1 {
		t.Fatalf("%d batches begin at %d: %v", len(names), first, names)
	}
	return names[0]
}

// TestLostBatches: whatever is lost or changed in a bucket is named, with the leaf from which on the history is lost,
// by whoever would rely on it.
func TestLostBatches(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	j := k.open(t)
	for i := range 8 {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(i))))
	}
	k.close(t, j)
	name := batchAt(t, k.bucket, 5)
	raw := k.bucket.Objects()[name]
	stranger, leaving := leavingAt(t, k, 5)
	for _, c := range []struct {
		what   string
		damage func(*journaltest.Bucket)
		says   []string
	}{
		{"missing", func(b *journaltest.Bucket) { b.Tamper(name, nil) },
			[]string{name, "is missing", "leaves from 5 on"}},
		{"damaged", func(b *journaltest.Bucket) { b.Tamper(name, flip(raw)) },
			[]string{name, "is damaged", "leaves from 5 on"}},
		{"cut short", func(b *journaltest.Bucket) { b.Tamper(name, raw[:len(raw)-3]) },
			[]string{name, "is damaged", "leaves from 5 on"}},
		{"swapped", func(b *journaltest.Bucket) { b.Tamper(name, b.Objects()[batchAt(t, b, 4)]) },
			[]string{name, "is damaged", "leaves from 5 on"}},
		{"another's in its place", func(b *journaltest.Bucket) { b.Tamper(name, nil); b.Tamper(stranger, leaving) },
			[]string{stranger, "is of another history", "leaves from 5 on"}},
		{"head missing", func(b *journaltest.Bucket) { b.Tamper("head", nil) },
			[]string{`the head object "head" is missing`}},
		{"head damaged", func(b *journaltest.Bucket) { b.Tamper("head", []byte("{")) },
			[]string{"the released head cannot be read"}},
		{"first missing", func(b *journaltest.Bucket) { b.Tamper(batchAt(t, b, 0), nil) },
			[]string{"is missing", "leaves from 0 on"}},
	} {
		b := k.bucket.Clone(silent{})
		c.damage(b)
		fresh := newKit(t)
		fresh.bucket = b
		cfg := fresh.config(t)
		cfg.Create = false
		_, restoring := journal.Open(t.Context(), cfg)
		_, failed := journal.CopyReleased(t.Context(), copying(b, journaltest.NewBucket(t)))
		head, checking := journal.ReadReleased(t.Context(), b, keys())
		if checking == nil {
			_, checking = checkReleased(t, b, head)
		}
		for who, err := range map[string]error{"restoring": restoring, "copying": failed, "checking": checking} {
			if !errors.Is(err, journal.ErrDamaged) || !says(err, c.says) {
				t.Errorf("%s: %s says %v", c.what, who, err)
			}
		}
	}
}

// leavingAt is a batch of one leaf at an index, of another history than the kit's.
func leavingAt(t *testing.T, k *kit, at int) (name string, raw []byte) {
	t.Helper()
	fork := newKit(t)
	fork.bucket = journaltest.NewBucket(silent{})
	j := fork.open(t)
	for i := range at {
		shipped(t, j, commit(t, j, noted.New(docID(1), note1(100+i))))
	}
	fork.close(t, j)
	name = batchAt(t, fork.bucket, at)
	if _, there := k.bucket.Objects()[name]; there {
		t.Fatal("the fork is none")
	}
	return name, fork.bucket.Objects()[name]
}

func says(err error, words []string) bool {
	return err != nil && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(err.Error(), w) })
}

// TestCheckRefusesSealedRows: a sealed row that was shipped under another key than its event binds is refused, also by
// those who have no key to see that the batch is forged.
func TestCheckRefusesSealedRows(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.bucket = journaltest.NewBucket(silent{})
	j := k.open(t)
	shipped(t, j, keep(t, j, "k1"))
	k.close(t, j)
	name := batchAt(t, k.bucket, 1)
	raw := bytes.Replace(k.bucket.Objects()[name], []byte("s\x00\x02k1"), []byte("s\x00\x02k9"), 1)
	sum := sha256.Sum256(raw)
	forged := name[:strings.LastIndex(name, "-")+1] + hex.EncodeToString(sum[:])
	head := bytes.Replace(k.bucket.Objects()["head"], []byte(name), []byte(forged), 1)
	k.bucket.Tamper(name, nil)
	k.bucket.Tamper(forged, raw)
	k.bucket.Tamper("head", head)
	if _, err := journal.ReadReleased(t.Context(), k.bucket, keys()); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("reading the forged head: %v, want ErrDamaged", err)
	}
	read := journaltest.Must(journal.ReadReleased(t.Context(), k.bucket, nil))
	_, err := journal.CheckReleased(t.Context(), journal.CheckConfig{
		Bucket: k.bucket, Head: read, Definitions: definitions(), Scratch: memory.New(memory.Config{}),
	})
	if !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), "beside no event") {
		t.Errorf("checking without a key: %v", err)
	}
}
