package dir_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
)

func putText(t *testing.T, s *dir.Store, key, text string) objects.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, strings.NewReader(text), objects.PutOptions{Length: int64(len(text))})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// contents are all versions of a store: description and text.
func contents(t *testing.T, s *dir.Store) map[objects.Info]string {
	t.Helper()
	all := map[objects.Info]string{}
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := s.Get(t.Context(), info.Key, info.Version, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil {
			t.Fatal(err)
		}
		all[info] = string(text)
	}
	return all
}

// TestCopyTo: the copy has every version under its own id, with its locks and holds; a second run copies what is new,
// brings locks up to date, and takes nothing away.
func TestCopyTo(t *testing.T) {
	t.Parallel()
	from, to := open(t, t.TempDir(), true, journal.SystemClock{}), open(t, t.TempDir(), true, journal.SystemClock{})
	ctx := t.Context()
	first := putText(t, from, "default/aa01", "one")
	putText(t, from, "default/aa01", "two")
	putText(t, from, "other/bb02", strings.Repeat("three", 1<<18))
	if err := from.Hold(ctx, first.Key, first.Version, true); err != nil {
		t.Fatal(err)
	}
	seen := 0
	n, bytes, err := from.CopyTo(ctx, to, nil, func(n int) { seen = n })
	if err != nil || n != 3 || bytes != 6+5<<18 || seen != 3 {
		t.Errorf("copying: %d versions of %d bytes, %d seen, %v", n, bytes, seen, err)
	}
	if diff := cmp.Diff(contents(t, from), contents(t, to)); diff != "" {
		t.Errorf("the copy differs (-store +copy):\n%s", diff)
	}
	if n, _, err := from.CopyTo(ctx, open(t, t.TempDir(), true, journal.SystemClock{}),
		func(string) bool { return true }, nil); n != 0 || err != nil {
		t.Errorf("of keys that are left out %d versions were copied, %v", n, err)
	}
	if n, bytes, err := from.CopyTo(ctx, to, nil, nil); n != 0 || bytes != 0 || err != nil {
		t.Errorf("copying again: %d versions of %d bytes, %v", n, bytes, err)
	}

	gone := putText(t, from, "default/cc03", "gone")
	if _, _, err := from.CopyTo(ctx, to, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := from.Delete(ctx, gone.Key, gone.Version); err != nil {
		t.Fatal(err)
	}
	if err := from.Retain(ctx, first.Key, first.Version, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	putText(t, from, "default/aa01", "four")
	if n, _, err := from.CopyTo(ctx, to, nil, nil); n != 1 || err != nil {
		t.Errorf("copying what is new: %d versions, %v", n, err)
	}
	want := contents(t, from)
	want[gone] = "gone"
	if diff := cmp.Diff(want, contents(t, to)); diff != "" {
		t.Errorf("the copy differs (-want +copy):\n%s", diff)
	}
}

// TestCopyToAfterABreak: a content that a broken copy has left without a record counts for nothing, and does not stand
// in the way.
func TestCopyToAfterABreak(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	from, to := open(t, t.TempDir(), true, journal.SystemClock{}), open(t, path, true, journal.SystemClock{})
	putText(t, from, "default/aa01", "text")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := from.CopyTo(ended, to, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	if _, _, err := from.CopyTo(t.Context(), to, nil, nil); err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob(filepath.Join(path, "data", "default", "*", "*@versions"))
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if err := os.Remove(records[0]); err != nil {
		t.Fatal(err)
	}
	if n, _, err := from.CopyTo(t.Context(), to, nil, nil); n != 1 || err != nil {
		t.Errorf("copying beside a content without a record: %d versions, %v", n, err)
	}
	if diff := cmp.Diff(contents(t, from), contents(t, to)); diff != "" {
		t.Errorf("the copy differs (-store +copy):\n%s", diff)
	}
	without := open(t, t.TempDir(), false, journal.SystemClock{})
	if _, _, err := without.CopyTo(t.Context(), to, nil, nil); !errors.Is(err,
		errors.ErrUnsupported) {
		t.Errorf("copying a store without versions: %v, want ErrUnsupported", err)
	}
}
