package journal_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/processtest"
)

// tileServer serves a journal as C2SP tlog-tiles under a prefix.
type tileServer struct {
	journal *journal.Journal
	corrupt string       // the tile of this path has a bit flipped
	before  func()       // called before each request, unless it is nil
	served  sync.Map     // paths of the tiles that were asked for
	partial atomic.Int64 // how many of them were partial
}

const tilePrefix = "/v1/journal/"

func (s *tileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.before != nil {
		s.before()
	}
	path, ok := strings.CutPrefix(r.URL.Path, tilePrefix)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if path == "checkpoint" {
		w.Write(s.journal.Checkpoint().Note)
		return
	}
	data, err := s.tile(r.Context(), path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if path == s.corrupt {
		data[len(data)/2] ^= 1
	}
	w.Write(data)
}

func (s *tileServer) tile(ctx context.Context, path string) ([]byte, error) {
	p, err := journal.ParseTilePath(path)
	if err != nil {
		return nil, err
	}
	s.served.Store(path, true)
	if p.Width < journal.TileWidth {
		s.partial.Add(1)
	}
	if p.Entries {
		return s.journal.EntryTile(ctx, p.N, p.Width)
	}
	return s.journal.Tile(ctx, p.Level, p.N, p.Width)
}

// buildChecker builds the program of testdata/tessera, whose code is not ours.
func buildChecker(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("testdata", "tessera")
	download := exec.CommandContext(t.Context(), "go", "mod", "download")
	download.Dir = dir
	if out, err := download.CombinedOutput(); err != nil {
		processtest.Missing(t, fmt.Sprintf("the modules of %s are missing", dir),
			fmt.Sprintf("`go mod download` there says what keeps them away: %v\n%s", err, out))
	}
	binary := filepath.Join(t.TempDir(), "tessera")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", dir, err, out)
	}
	return binary
}

// grow adds many entries in one commit, and waits for their release.
func grow(t testing.TB, j *journal.Journal, n int) {
	t.Helper()
	released(t, j, commit(t, j, lookedAt(n)...))
}

func lookedAt(n int) []journal.Event {
	events := make([]journal.Event, n)
	for i := range events {
		events[i] = looked.New(journal.ID{}, noteData{})
	}
	return events
}

// check runs the third party's program on the server.
func (s *tileServer) check(t *testing.T, checker string) (string, error) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	run := exec.CommandContext(t.Context(), checker, server.URL+tilePrefix, s.journal.VerifierKey())
	out, err := run.CombinedOutput()
	return string(out), err
}

// TestThirdPartyReadsTheLog has tessera's client and checker read a journal of more than 256^2 entries over HTTP: three
// levels of tiles, full and partial.
func TestThirdPartyReadsTheLog(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it writes more than 65,536 entries; left out by -short")
	}
	checker := buildChecker(t)
	k := newKit(t)
	j := k.open(t)
	defer k.close(t, j)
	for j.Size() < 1<<16+300 {
		grow(t, j, 2000)
	}

	t.Run("as it stands", func(t *testing.T) {
		s := &tileServer{journal: j}
		if out, err := s.check(t, checker); err != nil {
			t.Fatalf("the checker refused the log: %v\n%s", err, out)
		}
		for _, path := range []string{"tile/0/000", "tile/0/255", "tile/1/000", "tile/2/000.p/1", "tile/entries/000"} {
			if _, ok := s.served.Load(path); !ok {
				t.Errorf("the checker never asked for %s", path)
			}
		}
		if s.partial.Load() == 0 {
			t.Error("the checker never asked for a partial tile")
		}
	})
	t.Run("growing while it is read", func(t *testing.T) {
		before, requests := j.Size(), atomic.Int64{}
		s := &tileServer{journal: j, before: func() {
			if requests.Add(1)%20 != 0 {
				return
			}
			if _, err := j.Commit(t.Context(), alice, func(journal.View) (journal.Change, error) {
				return journal.Change{Events: lookedAt(37)}, nil
			}); err != nil {
				t.Errorf("committing: %v", err)
			}
		}}
		out, err := s.check(t, checker)
		if err != nil {
			t.Fatalf("the checker refused the log: %v\n%s", err, out)
		}
		released(t, j, commit(t, j, lookedAt(1)...))
		if want := fmt.Sprintf("checked %d to ", before); !strings.Contains(out, want) || j.Size() < before+37 {
			t.Errorf("the log grew from %d to %d, and the checker said %q", before, j.Size(), out)
		}
	})
	size := j.Checkpoint().Size
	for _, path := range []string{
		"tile/0/017",
		journal.TilePath{N: size / 256, Width: int(size % 256)}.String(),
		"tile/1/000",
		"tile/2/000.p/1",
		"tile/entries/101",
	} {
		t.Run("corrupted "+path, func(t *testing.T) {
			s := &tileServer{journal: j, corrupt: path}
			if out, err := s.check(t, checker); err == nil {
				t.Errorf("the checker accepted the log: %s", out)
			}
			if _, ok := s.served.Load(path); !ok {
				t.Errorf("the checker never asked for %s", path)
			}
		})
	}
}
