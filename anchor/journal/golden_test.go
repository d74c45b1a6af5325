package journal_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

const goldenBucket = "testdata/golden/bucket"

// TestGoldenJournal is the compatibility promise: a small history gives the same bodies, batches, head object,
// checkpoint and rows as ever, and is restored from what was shipped then to the same rows.
func TestGoldenJournal(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.place = "golden"
	j := k.open(t)
	seal := func(event journal.Event, value []byte) {
		r, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{event},
				Sealed: []journal.Row{{Key: []byte("k"), Value: value}}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		released(t, j, r)
	}
	released(t, j, commit(t, j, noted.New(docID(1), noteData{Name: "a", Text: "§ 552a <&>"}),
		chore.New(docID(2), noteData{})))
	k.clock.Advance(time.Second)
	seal(kept.New(docID(1), secret{"k"}), []byte("ciphertext"))
	k.clock.Advance(-time.Hour) // the wall clock goes back; the journal's time does not
	released(t, j, commit(t, j, removed.New(docID(1), noteData{Name: "a"})))
	seal(erased.New(docID(1), secret{"k"}), nil)
	checkpoint := j.Checkpoint().Note
	k.close(t, j)

	if *update {
		writeGolden(t, k, checkpoint)
	}
	compareGolden(t, k.bucket.Objects(), readGoldenBucket(t))
	if diff := cmp.Diff(readGolden(t, "checkpoint"), string(checkpoint)); diff != "" {
		t.Errorf("the checkpoint has changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(readGolden(t, "rows.txt"), dump(t, k.backend)); diff != "" {
		t.Errorf("the rows have changed (-want +got):\n%s", diff)
	}
}

// TestGoldenRestore reads the golden objects: every log row and projection comes back as it was.
func TestGoldenRestore(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	objects := readGoldenBucket(t)
	for _, name := range slices.Sorted(maps.Keys(objects)) { // the head comes last
		if _, err := k.bucket.Put(t.Context(), name, objects[name], ""); err != nil {
			t.Fatal(err)
		}
	}
	k.close(t, k.open(t))
	var want []string
	for line := range strings.Lines(readGolden(t, "rows.txt")) {
		if strings.HasPrefix(line, "l.") || strings.HasPrefix(line, "p.") || strings.HasPrefix(line, "s.") {
			want = append(want, line)
		}
	}
	var got []string
	for line := range strings.Lines(dump(t, k.backend)) {
		if !strings.HasPrefix(line, "v.") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the restored rows differ (-want +got):\n%s", diff)
	}
}

// dump lists every row: table, key and value, as text where they are text.
func dump(t testing.TB, b journal.Backend) string {
	t.Helper()
	tables := journaltest.Must(b.Tables(t.Context()))
	slices.SortFunc(tables, func(a, b journal.Table) int { return strings.Compare(a.String(), b.String()) })
	var out strings.Builder
	for _, table := range tables {
		for _, row := range rowsOf(t, b, table) {
			fmt.Fprintf(&out, "%s\t%s\t%s\n", table, readable(row.key), readable(row.value))
		}
	}
	return out.String()
}

func readable(b []byte) string {
	if len(b) > 17 && b[17] == '{' { // a body's row: format and nonce in hexadecimal, then JSON
		return hex.EncodeToString(b[:17]) + " " + string(b[17:])
	}
	for _, c := range b {
		if c < ' ' || c == '\t' || c > '~' {
			return hex.EncodeToString(b)
		}
	}
	return string(b)
}

func writeGolden(t *testing.T, k *kit, checkpoint []byte) {
	t.Helper()
	if err := os.RemoveAll("testdata/golden"); err != nil {
		t.Fatal(err)
	}
	for name, data := range k.bucket.Objects() {
		path := filepath.Join(goldenBucket, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string]string{"checkpoint": string(checkpoint), "rows.txt": dump(t, k.backend)} {
		if err := os.WriteFile(filepath.Join("testdata/golden", name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readGolden(t *testing.T, name string) string {
	t.Helper()
	return string(journaltest.Must(os.ReadFile(filepath.Join("testdata/golden", name))))
}

func readGoldenBucket(t *testing.T) map[string][]byte {
	t.Helper()
	objects := map[string][]byte{}
	err := filepath.WalkDir(goldenBucket, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(goldenBucket, path)
		objects[filepath.ToSlash(name)] = journaltest.Must(os.ReadFile(path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func compareGolden(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is shipped has changed (-want +got):\n%s", diff)
	}
}
