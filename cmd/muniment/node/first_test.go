package node

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/remote"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

// embedded is the configuration of a data folder that is not there yet.
func embedded(t *testing.T) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.AdminListen = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", "127.0.0.1:0"
	return cfg
}

// serving starts a server.
func serving(t *testing.T, cfg config.Config) *Server {
	t.Helper()
	s, err := Listen(t.Context(), cfg, slog.New(slog.NewTextHandler(t.Output(), nil)), OpenStorage)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stop stops a server.
func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(5 * time.Second); err != nil {
		t.Error(err)
	}
}

// refusedStart starts a server that must not start, and returns why; the refusal must say what to do.
func refusedStart(t *testing.T, cfg config.Config) error {
	t.Helper()
	s, err := Listen(t.Context(), cfg, slog.New(slog.DiscardHandler), OpenStorage)
	if err == nil {
		stop(t, s)
		t.Fatal("it starts")
	}
	if next, ok := cli.HintOf(err); !ok || next == "" {
		t.Errorf("the refusal does not say what to do: %v", err)
	}
	return err
}

// deposit deposits by the key of a first start.
func deposit(t *testing.T, s *Server, key string) error {
	t.Helper()
	r, err := remote.New(s.URL(), key, remote.NewTransport(1))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = r.Send(t.Context(), remote.Deposit{Title: "x", Length: 1, Content: strings.NewReader("x")})
	return err
}

// TestFirstStartIsRepeated: wherever a first start broke off, the next one makes a vault whose key it shows, and the
// one after that goes on with it.
func TestFirstStartIsRepeated(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for what, breakOff := range map[string]func(t *testing.T, cfg config.Config){
		"before anything but its marker": func(t *testing.T, cfg config.Config) {
			id := journaltest.Must(journal.NewID(time.Now(), rand.Reader))
			if err := Folder(cfg.Data).begin(beginning{Journals: []journal.ID{id}}); err != nil {
				t.Fatal(err)
			}
		},
		"when both stores were claimed": func(t *testing.T, cfg config.Config) {
			s, err := OpenStorage(t.Context(), cfg, log)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"when the journal was released": func(t *testing.T, cfg config.Config) {
			s, err := OpenStorage(t.Context(), cfg, log)
			if err != nil {
				t.Fatal(err)
			}
			j, err := s.OpenJournal(t.Context(), "", log, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Backend = nil
			if err := errors.Join(j.Close(), s.Close()); err != nil {
				t.Fatal(err)
			}
		},
		"before its key was shown": func(t *testing.T, cfg config.Config) {
			stop(t, serving(t, cfg))
		},
		"twice": func(t *testing.T, cfg config.Config) {
			stop(t, serving(t, cfg))
			stop(t, serving(t, cfg))
		},
	} {
		t.Run(what, func(t *testing.T) {
			cfg := embedded(t)
			breakOff(t, cfg)
			s := serving(t, cfg)
			key := s.Node.Bootstrap.Reveal()
			if !s.Node.Created || key == "" {
				t.Fatal("the repeated start makes no vault")
			}
			if err := s.EndFirstStart(); err != nil {
				t.Fatal(err)
			}
			s.Serve()
			if err := deposit(t, s, key); err != nil {
				t.Error(err)
			}
			id := s.Node.Journal.ID()
			stop(t, s)
			again := serving(t, cfg)
			if again.Node.Created || again.Node.Journal.ID() != id {
				t.Error("the next start makes another vault")
			}
			again.Serve()
			if err := deposit(t, again, key); err != nil {
				t.Error(err)
			}
			stop(t, again)
		})
	}
}

// TestFirstStartIsNotRepeatedOverAVault: a marker in a vault that has served, or of another's stores, wipes nothing.
func TestFirstStartIsNotRepeatedOverAVault(t *testing.T) {
	t.Parallel()
	cfg := embedded(t)
	s := serving(t, cfg)
	key := s.Node.Bootstrap.Reveal()
	marker := read(t, Folder(cfg.Data).starting())
	if err := s.EndFirstStart(); err != nil {
		t.Fatal(err)
	}
	s.Serve()
	if err := deposit(t, s, key); err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	before := inside(t, cfg.Data)
	for what, raw := range map[string]string{
		"its own": marker, "another's": `{"journals":["01890a5d-ac96-774b-bcce-b302099a8057"]}`,
		"none": "x", "empty": "{}",
	} {
		if err := os.WriteFile(Folder(cfg.Data).starting(), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		err := refusedStart(t, cfg)
		if rmErr := os.Remove(Folder(cfg.Data).starting()); rmErr != nil {
			t.Fatal(rmErr)
		}
		for path, content := range before {
			if read(t, path) != content {
				t.Errorf("with a marker that is %s, %s has changed: %v", what, path, err)
			}
		}
	}
	again := serving(t, cfg)
	again.Serve()
	if err := deposit(t, again, key); err != nil {
		t.Error(err)
	}
	stop(t, again)
}

// TestANamedFolderIsMadeInAnother: the folder of a disk that is not mounted gets no new vault, and neither does one
// that has something else in it.
func TestANamedFolderIsMadeInAnother(t *testing.T) {
	t.Parallel()
	cfg := embedded(t)
	parent := cfg.Data
	cfg.Data = filepath.Join(parent, "deeper")
	refusedStart(t, cfg)
	if _, err := os.Stat(parent); err == nil {
		t.Error("the parent was made")
	}
	for _, name := range []string{"letter.txt", "policy.json", "ledger"} {
		cfg := embedded(t)
		if err := os.MkdirAll(filepath.Join(cfg.Data, name), 0o700); err != nil {
			t.Fatal(err)
		}
		refusedStart(t, cfg)
		if all := journaltest.Must(os.ReadDir(cfg.Data)); len(all) != 1 {
			t.Errorf("beside %s there are %v now", name, all)
		}
	}
	cfg = embedded(t)
	if err := os.MkdirAll(filepath.Join(cfg.Data, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	stop(t, serving(t, cfg))
}

// TestEveryRefusalSaysWhatToDo: each part of a vault in turn is gone, damaged, or another's.
func TestEveryRefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	other := embedded(t)
	stop(t, serving(t, other))
	junk := func(path string) error { return os.WriteFile(path, []byte("junk"), 0o600) }
	for what, spoil := range map[string]func(f Folder) error{
		"no journal":        func(f Folder) error { return os.Remove(f.Journal()) },
		"an empty journal":  func(f Folder) error { return os.Truncate(f.Journal(), 0) },
		"a journal of junk": func(f Folder) error { return junk(f.Journal()) },
		"another's journal": func(f Folder) error { return put(Folder(other.Data).Journal(), f.Journal()) },
		"no keys":           func(f Folder) error { return os.Remove(f.Keys()) },
		"keys of junk":      func(f Folder) error { return junk(f.Keys()) },
		"another's keys":    func(f Folder) error { return put(Folder(other.Data).Keys(), f.Keys()) },
		"no release bucket": func(f Folder) error { return os.RemoveAll(f.Release()) },
		"a release bucket of junk": func(f Folder) error {
			return errors.Join(os.RemoveAll(f.Release()), junk(f.Release()))
		},
		"another's release bucket": func(f Folder) error {
			theirs := os.DirFS(Folder(other.Data).Release())
			return errors.Join(os.RemoveAll(f.Release()), os.CopyFS(f.Release(), theirs))
		},
		"an empty release bucket": func(f Folder) error { return os.RemoveAll(filepath.Join(f.Release(), "data")) },
		"no objects":              func(f Folder) error { return os.RemoveAll(f.Objects()) },
		"an empty documents' store": func(f Folder) error {
			return os.RemoveAll(filepath.Join(f.Objects(), "data"))
		},
		"another's documents": func(f Folder) error {
			theirs := os.DirFS(Folder(other.Data).Objects())
			return errors.Join(os.RemoveAll(f.Objects()), os.CopyFS(f.Objects(), theirs))
		},
		"a ledger of junk": func(f Folder) error {
			return errors.Join(os.MkdirAll(f.Ledger(), 0o700), junk(filepath.Join(f.Ledger(), "000000000001.block")))
		},
		"a folder of everybody's": func(f Folder) error { return os.Chmod(string(f), 0o777) },
		"a drill":                 Folder.MarkDrill,
	} {
		cfg := embedded(t)
		s := serving(t, cfg)
		if err := s.EndFirstStart(); err != nil {
			t.Fatal(err)
		}
		stop(t, s)
		if err := spoil(Folder(cfg.Data)); err != nil {
			t.Fatal(err)
		}
		err := refusedStart(t, cfg)
		next, _ := cli.HintOf(err)
		t.Logf("%s: %v → %s", what, err, next)
	}
}

// put copies a file over another.
func put(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

// TestTheNewestCheckpointIsLocked: a server leaves it behind in the documents' store, with its owner object.
func TestTheNewestCheckpointIsLocked(t *testing.T) {
	t.Parallel()
	cfg := embedded(t)
	s := serving(t, cfg)
	if err := s.EndFirstStart(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	size := s.Node.Journal.Size()
	if err := s.Node.Locked.Keep(ctx, size); err != nil {
		t.Fatal(err)
	}
	if status := s.Node.Locked.Status(ctx); status.Size < size || !strings.Contains(status.Weaker, "folder") {
		t.Errorf("status: %+v", status)
	}
	var kept []objects.Info
	for info, err := range s.Node.Storage.Objects.List(ctx, checkpoints.Prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, info)
	}
	if len(kept) == 0 || kept[0].RetainUntil.Before(time.Now().Add(34*24*time.Hour)) {
		t.Errorf("kept: %+v", kept)
	}
	there, err := objects.CheckOwner(ctx, s.Node.Storage.Objects, objects.DocumentsOwner, s.Node.Journal.ID())
	if !there || err != nil {
		t.Errorf("the owner object: %v, %v", there, err)
	}
	stop(t, s)
}

// read is a file's content.
func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// inside are the files in a folder.
func inside(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			all[path] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
