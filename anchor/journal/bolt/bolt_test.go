package bolt_test

import (
	"path/filepath"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/backendtest"
	"muniment/anchor/journal/bolt"
)

// open opens a file, which must work.
func open(t testing.TB, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(bolt.Config{Path: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	paths := make(map[journal.Backend]string)
	start := func(t *testing.T, path string) journal.Backend {
		s := open(t, path)
		paths[s] = path
		return s
	}
	backendtest.Run(t,
		func(t *testing.T) journal.Backend { return start(t, filepath.Join(t.TempDir(), "journal.db")) },
		backendtest.Options{
			Reopen: func(t *testing.T, b journal.Backend) journal.Backend {
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				return start(t, paths[b])
			},
		})
}
