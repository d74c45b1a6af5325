package dir_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
)

// role names the environment variable that makes a process of this test binary do a part in a test.
const role = "MUNIMENT_DIR_TEST_ROLE"

func TestMain(m *testing.M) {
	parts := map[string]func(root string) error{"writer": writeForEver, "counter": count, "filler": fill}
	if part, ok := parts[os.Getenv(role)]; ok {
		if err := part(os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is a process of this binary that plays a part on a folder.
func child(t testing.TB, part, root string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, root)
	c.Env = append(os.Environ(), role+"="+part)
	c.Stderr = os.Stderr
	return c
}

// TestKilled kills a process while it writes, in the middle of whatever it does, and looks at what is left.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out crashes")
	}
	t.Parallel()
	root := t.TempDir()
	var acknowledged []string
	for round := range 12 {
		c := child(t, "writer", root)
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 3+7*round && lines.Scan(); n++ {
			acknowledged = append(acknowledged, lines.Text())
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had said before it died counts too
			acknowledged = append(acknowledged, lines.Text())
		}
		if err := c.Wait(); err == nil {
			t.Fatal("a process that was to be killed ended by itself")
		}
		checkAfterCrash(t, root, acknowledged)
	}
	t.Logf("%d puts were acknowledged in 12 lives", len(acknowledged))
}

// checkAfterCrash opens the folder, reads back all that was acknowledged, and finds no file that is no object's.
func checkAfterCrash(t *testing.T, root string, acknowledged []string) {
	t.Helper()
	s, err := dir.Open(t.Context(),
		dir.Config{Dir: root, Versioned: true, Clock: objectstest.NewClock(), Rand: zeros{}})
	if err != nil {
		t.Fatalf("Open after a crash: %v", err)
	}
	defer s.Close()
	for _, line := range acknowledged {
		key, version, _ := strings.Cut(line, " ")
		if got, err := get(t, s, key, version); err != nil || got != bodyOf(key) {
			t.Fatalf("%s was acknowledged and reads back as %d bytes, %v", key, len(got), err)
		}
		if info, err := s.Stat(t.Context(), key, version); err != nil || info.RetainUntil.IsZero() {
			t.Fatalf("%s was acknowledged with a lock and has none: %v", key, err)
		}
	}
	want := []string{"format.json"}
	keys := sortedKeys(t, s)
	for _, key := range keys {
		if got, err := get(t, s, key, ""); err != nil || got != bodyOf(key) {
			t.Fatalf("%s is visible and reads back as %d bytes, %v", key, len(got), err)
		}
		tenant, name, _ := strings.Cut(key, "/")
		base := "data/" + tenant + "/" + name[:2] + "+/" + name
		want = append(want, base+"@V", base+"@versions")
	}
	got := files(t, root)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("files after a crash (-want +got):\n%s", diff)
	}
}

// bodyOf is the body that the writer stores under a key.
func bodyOf(key string) string { return strings.Repeat(key, 2_000) }

// writeForEver puts objects in four goroutines and says so when each is stored, until it is killed.
func writeForEver(root string) error {
	s, err := dir.Open(ctx(), config(root, true))
	if err != nil {
		return err
	}
	failed := make(chan error)
	for i := range 4 {
		go func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("t/%02x-%d-%d", n%8, os.Getpid(), 4*n+i)
				opt := objects.PutOptions{Length: -1, RetainUntil: objectstest.NewClock().Now()}
				info, err := s.Put(ctx(), key, strings.NewReader(bodyOf(key)), opt)
				if err != nil {
					failed <- err
					return
				}
				fmt.Println(key, info.Version)
			}
		}()
	}
	return <-failed
}

// TestUnfinishedPut lays out by hand what a crash leaves behind at each step of a Put, which kill -9 meets only by
// chance.
func TestUnfinishedPut(t *testing.T) {
	t.Parallel()
	id, linked := strings.Repeat("ab", 16), "data/a+/a@"+strings.Repeat("ab", 16)
	rec := func(versions string) string { return `{"v":1,"key":"a","versions":[` + versions + `]}` }
	mine := `{"id":"` + id + `","size":4,"modified":"2026-01-01T00:00:00Z"}`
	for name, c := range map[string]struct {
		left map[string]string
		body string // of key a afterwards; "" when there is none
	}{
		"content half written": {map[string]string{"incoming/s/" + id: "bo"}, ""},
		"record half written": {map[string]string{"incoming/s/" + id: "body",
			"incoming/s/" + id + ".record": rec(mine)[:20]}, ""},
		"not linked": {map[string]string{"incoming/s/" + id: "body",
			"incoming/s/" + id + ".record": rec(mine)}, ""},
		"linked": {map[string]string{"incoming/s/" + id: "body",
			"incoming/s/" + id + ".record": rec(mine), linked: "body"}, ""},
		"recorded": {map[string]string{"incoming/s/" + id: "body", linked: "body",
			"data/a+/a@versions": rec(mine)}, "body"},
		"recorded, both names": {map[string]string{"incoming/s/" + id + ".record": rec(mine), linked: "body",
			"data/a+/a@versions": rec(mine)}, "body"},
		"update and check": {map[string]string{"incoming/s/x.update": rec(""), "incoming/s/x.check": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := open(t, root, true, objectstest.NewClock()).Close(); err != nil {
				t.Fatal(err)
			}
			for path, text := range c.left {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := dir.Open(t.Context(), config(root, true))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			got, err := get(t, s, "a", "")
			if got != c.body || (err == nil) != (c.body != "") || err != nil && !errors.Is(err, objects.ErrNotFound) {
				t.Errorf("after the crash: %q, %v; want %q", got, err, c.body)
			}
			want := []string{"format.json"}
			if c.body != "" {
				want = []string{"data/a+/a@V", "data/a+/a@versions", "format.json"}
			}
			if diff := cmp.Diff(want, files(t, root)); diff != "" {
				t.Errorf("files after the crash (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnfinishedDelete shows that a Delete that a crash cut short between record and content ends when it is repeated.
func TestUnfinishedDelete(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, true, objectstest.NewClock())
	info := put(t, s, "a", "body")
	if err := os.Remove(filepath.Join(root, "data/a+/a@versions")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "a", info.Version); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"format.json"}, files(t, root)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestLiveSession opens a folder again while an upload into it is under way: it must not be taken for a leftover.
func TestLiveSession(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, true, objectstest.NewClock())
	opened := false
	body := readerFunc(func(p []byte) (int, error) {
		if opened {
			return 0, io.EOF
		}
		opened = true
		open(t, root, true, objectstest.NewClock())
		return copy(p, "body"), nil
	})
	if _, err := s.Put(t.Context(), "a", body, objects.PutOptions{Length: -1}); err != nil {
		t.Fatal(err)
	}
	if got, err := get(t, s, "a", ""); got != "body" || err != nil {
		t.Errorf("an upload beside an Open: %q, %v", got, err)
	}
}

// TestProcesses has several processes count on one object by compare-and-swap: no count may be lost.
func TestProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out processes that compete")
	}
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, false, objectstest.NewClock())
	put(t, s, "head", "0")
	var children []*exec.Cmd
	for range processes {
		c := child(t, "counter", root)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Fatalf("a process failed: %v", err)
		}
	}
	if got, err := get(t, s, "head", ""); got != strconv.Itoa(processes*counts) || err != nil {
		t.Errorf("%d processes counted %d times each and came to %s, %v", processes, counts, got, err)
	}
	if diff := cmp.Diff([]string{"data/he+/head@V", "data/he+/head@versions", "format.json"},
		files(t, root)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

const processes, counts = 3, 40

// count adds one to the number in "head", counts times.
func count(root string) error {
	s, err := dir.Open(ctx(), config(root, false))
	if err != nil {
		return err
	}
	defer s.Close()
	b := objects.NewBucket(s)
	for done := 0; done < counts; {
		data, tag, err := b.Get(ctx(), "head")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			return err
		}
		switch _, err = b.Put(ctx(), "head", []byte(strconv.Itoa(n+1)), tag); {
		case err == nil:
			done++
		case !errors.Is(err, objects.ErrExists):
			return err
		}
	}
	return nil
}
