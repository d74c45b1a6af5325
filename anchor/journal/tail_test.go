package journal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

const goldenTail = "testdata/golden-tail/head"

// batches are the names of the batches that a kit's bucket holds.
func batches(k *kit) (names []string) {
	for name := range k.bucket.Objects() {
		if strings.HasPrefix(name, "batch/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestLittleIsReleasedInTheHead: small releases write one object each, until what the head holds is worth a batch.
func TestLittleIsReleasedInTheHead(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.tail = 4000
	j := k.open(t)
	for i := 0; len(batches(k)) < 3; i++ {
		if i > 200 {
			t.Fatal("no batch was made")
		}
		released(t, j, keep(t, j, strings.Repeat("k", i+1)))
		if head := len(k.bucket.Objects()["head"]); head > 2*k.tail {
			t.Fatalf("the head has %d bytes", head)
		}
	}
	if n := int(j.Size()); n < 10 {
		t.Errorf("%d releases made three batches", n)
	}
	erase(t, j, "kk")
	released(t, j, commit(t, j, noted.New(docID(1), note1(1))))
	k.close(t, j)
	if found := k.fsckKeys(t); len(found) > 0 {
		t.Errorf("fsck says %s", first(found))
	}
	restoredEqual(t, k)
}

// TestCatchingUpWithinATail: from each place in the head's own batch.
func TestCatchingUpWithinATail(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.tail = 0
	j := k.open(t)
	var old []*kit
	for i := range 5 {
		released(t, j, keep(t, j, strings.Repeat("k", i+1)))
		before := newKit(t)
		before.backend, before.tail = k.backend.Clone(), 0
		old = append(old, before)
	}
	k.close(t, j)
	if n := len(batches(k)); n > 0 {
		t.Fatalf("%d batches were made", n)
	}
	for i, before := range old {
		before.bucket = k.bucket.Clone(t)
		j := before.open(t)
		if got, want := j.Size(), uint64(6); got != want {
			t.Errorf("from backend %d it caught up to %d, want %d", i, got, want)
		}
		before.close(t, j)
		if found := before.fsck(t); len(found) > 0 {
			t.Errorf("fsck says %s", first(found))
		}
	}
}

// TestADamagedTailIsRefused: with any byte of it changed, or of another place.
func TestADamagedTailIsRefused(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.tail = 0
	j := k.open(t)
	released(t, j, keep(t, j, "k"))
	k.close(t, j)
	whole := k.bucket.Objects()["head"]
	line, tail, _ := bytes.Cut(whole, []byte("\n"))
	for at := 0; at < len(tail); at += 7 {
		changed := bytes.Clone(whole)
		changed[len(line)+1+at] ^= 1
		refuseHead(t, changed)
	}
	refuseHead(t, line)
	refuseHead(t, append(bytes.Clone(line), '\n'))
	refuseHead(t, append(bytes.Clone(whole), tail...))
	refuseHead(t, bytes.Replace(whole, []byte(`"size":2`), []byte(`"size":3`), 1))
	refuseHead(t, bytes.Replace(whole, []byte(`"first":0`), []byte(`"first":1`), 1))
	refuseHead(t, bytes.Replace(whole, []byte(`"lastBatch":""`), []byte(`"lastBatch":"batch/0-1-00"`), 1))
}

// TestATailWithoutAKeyIsChecked against the digest in the head's line, by those who cannot authenticate it.
func TestATailWithoutAKeyIsChecked(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.tail = 0
	j := k.open(t)
	released(t, j, keep(t, j, "k"))
	released(t, j, keep(t, j, "kk"))
	k.close(t, j)
	if h, err := journal.ReadReleased(t.Context(), k.bucket, nil); err != nil || h.Size != 3 {
		t.Errorf("the whole head: %d, %v", h.Size, err)
	}
	whole := k.bucket.Objects()["head"]
	line, _, _ := bytes.Cut(whole, []byte("\n"))
	for what, changed := range map[string][]byte{
		"a bit of a body": bytes.Replace(whole, []byte(`"key":"kk"`), []byte(`"key":"kl"`), 1),
		"no tail":         line,
		"more of it":      append(bytes.Clone(whole), "x\x00\x01k"...),
	} {
		k.bucket.Tamper("head", changed)
		if _, err := journal.ReadReleased(t.Context(), k.bucket, nil); !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// refuseHead restores from a bucket whose head was changed.
func refuseHead(t *testing.T, head []byte) {
	t.Helper()
	fresh := newKit(t)
	fresh.bucket = journaltest.NewBucket(silent{})
	journaltest.Must(fresh.bucket.Put(t.Context(), "head", head, ""))
	if _, err := journal.Open(t.Context(), fresh.config(t)); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("restoring from a damaged head says %v", err)
	}
}

// TestGoldenTail: a head with a tail is written as ever, and read as ever.
func TestGoldenTail(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.tail = 0
	j := k.open(t)
	released(t, j, commit(t, j, noted.New(docID(1), noteData{Name: "a", Text: "b"})))
	released(t, j, keep(t, j, "k"))
	k.close(t, j)
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(goldenTail), 0o755),
			os.WriteFile(goldenTail, k.bucket.Objects()["head"], 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	golden := journaltest.Must(os.ReadFile(goldenTail))
	if diff := cmp.Diff(string(golden), string(k.bucket.Objects()["head"])); diff != "" {
		t.Errorf("the head has changed (-want +got):\n%s", diff)
	}
	fresh := newKit(t)
	journaltest.Must(fresh.bucket.Put(t.Context(), "key/1", k.bucket.Objects()["key/1"], ""))
	journaltest.Must(fresh.bucket.Put(t.Context(), "head", golden, ""))
	j = fresh.open(t)
	if j.Size() != 3 {
		t.Errorf("%d entries were restored, want 3", j.Size())
	}
	fresh.close(t, j)
}
