package dir_test

import (
	"context"
	"crypto/rand"
	"testing"

	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
)

// open opens a store in a folder, for the length of a test.
func open(t testing.TB, path string, versioned bool, clock dir.Clock) *dir.Store {
	t.Helper()
	s, err := dir.Open(t.Context(),
		dir.Config{Dir: path, Versioned: versioned, Create: true, Clock: clock, Rand: rand.Reader})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() }) // some tests close it themselves
	return s
}

// config is for processes and tests that open a folder that is there.
func config(path string, versioned bool) dir.Config {
	return dir.Config{Dir: path, Versioned: versioned, Create: true, Clock: objectstest.NewClock(), Rand: rand.Reader}
}

// ctx is the context of processes that have no test around them.
func ctx() context.Context { return context.Background() }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, versioned := range map[string]bool{"versioned": true, "unversioned": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && !versioned {
				t.Skip("-short leaves out the store without versions")
			}
			clock := objectstest.NewClock()
			path := t.TempDir()
			one := func(t *testing.T) objects.Store { return open(t, path, versioned, clock) }
			objectstest.Run(t, one, objectstest.Options{Unversioned: !versioned, Clock: clock})
		})
	}
}
