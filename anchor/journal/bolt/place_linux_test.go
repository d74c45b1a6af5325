package bolt_test

import (
	"os"
	"path/filepath"
	"testing"

	"muniment/anchor/journal/bolt"
	"muniment/anchor/journal/journaltest"
)

// TestACopyLiesElsewhere: a file stays where it is under another name, and its copy is at another place.
func TestACopyLiesElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, moved, copied := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	for _, path := range []string{file, copied} {
		if err := os.WriteFile(path, []byte("the same"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := journaltest.Must(bolt.Place(file))
	if before == "" || before == journaltest.Must(bolt.Place(copied)) {
		t.Errorf("a copy lies where the file does: %s", before)
	}
	if err := os.Rename(file, moved); err != nil {
		t.Fatal(err)
	}
	if after := journaltest.Must(bolt.Place(moved)); after != before {
		t.Errorf("the file was at %s, and under another name is at %s", before, after)
	}
	if place, err := bolt.Place(file); err == nil {
		t.Errorf("a file that is not there is at %s", place)
	}
}
