package dir_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
)

// put stores a body under a key.
func put(t testing.TB, s objects.Store, key, body string) objects.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, strings.NewReader(body), objects.PutOptions{Length: int64(len(body))})
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	return info
}

func get(t testing.TB, s objects.Store, key, version string) (string, error) {
	t.Helper()
	body, _, err := s.Get(t.Context(), key, version, nil)
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return string(data), err
}

// files names every file below a folder, with "V" for version ids.
func files(t testing.TB, root string) []string {
	t.Helper()
	names := []string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			names = append(names, regexp.MustCompile(`[0-9a-f]{32}`).ReplaceAllString(rel, "V"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestLayout(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, true, objectstest.NewClock())
	first := put(t, s, "default/3fa9", "the first")
	second := put(t, s, "default/3fa9", "the second")
	put(t, s, "x", "another")
	want := []string{
		"data/default/3f+/3fa9@V", "data/default/3f+/3fa9@V", "data/default/3f+/3fa9@versions",
		"data/x+/x@V", "data/x+/x@versions", "format.json",
	}
	if diff := cmp.Diff(want, files(t, root)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for version, body := range map[string]string{first.Version: "the first", second.Version: "the second",
		"": "the second"} {
		path, err := s.Path(t.Context(), "default/3fa9", version)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil || sha256.Sum256(raw) != sha256.Sum256([]byte(body)) {
			t.Errorf("%s holds %q, %v; want %q", path, raw, err, body)
		}
	}
	if _, err := s.Path(t.Context(), "default/none", ""); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("Path of nothing: %v, want ErrNotFound", err)
	}
	if err := s.Delete(t.Context(), "default/3fa9", first.Version); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[1:], files(t, root)); diff != "" {
		t.Errorf("files after Delete (-want +got):\n%s", diff)
	}
	if err := s.Delete(t.Context(), "default/3fa9", second.Version); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[3:], files(t, root)); diff != "" {
		t.Errorf("files after the last Delete (-want +got):\n%s", diff)
	}
}

func TestUnversionedKeepsOneContent(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, false, objectstest.NewClock())
	want := []string{"data/he+/head@V", "data/he+/head@versions", "format.json"}
	for _, body := range []string{"one", "two", "three"} {
		put(t, s, "head", body)
		if diff := cmp.Diff(want, files(t, root)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
	if err := s.Delete(t.Context(), "head", ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[2:], files(t, root)); diff != "" {
		t.Errorf("files after Delete (-want +got):\n%s", diff)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "a", "b")
	cfg := dir.Config{Dir: missing, Versioned: true, Clock: objectstest.NewClock(), Rand: rand.Reader}
	if _, err := dir.Open(t.Context(), cfg); !errors.Is(err, dir.ErrMissing) {
		t.Errorf("Open of nothing: %v, want ErrMissing", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of nothing made something: %v", err)
	}
	cfg.Create = true
	s, err := dir.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "body")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(missing, "incoming")); err != nil || len(left) > 0 {
		t.Errorf("Close left %v, %v", left, err)
	}
	cfg.Create = false
	if s, err = dir.Open(t.Context(), cfg); err != nil {
		t.Fatalf("Open again: %v", err)
	}
	if got, err := get(t, s, "a", ""); got != "body" || err != nil {
		t.Errorf("after Open again: %q, %v", got, err)
	}
	s.Close()

	cfg.Versioned = false
	if _, err := dir.Open(t.Context(), cfg); err == nil {
		t.Error("a store with versions was opened as one without")
	}
	cfg.Versioned = true
	format := filepath.Join(missing, "format.json")
	if err := os.WriteFile(format, []byte(`{"v":2,"versioned":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("a newer format: %v, want an error that names it", err)
	}
	if err := os.Remove(format); err != nil {
		t.Fatal(err)
	}
	cfg.Create = true
	if _, err := dir.Open(t.Context(), cfg); err == nil {
		t.Error("objects without a format file were taken over")
	}
	if _, err := dir.Open(t.Context(), dir.Config{Dir: t.TempDir(), Create: true}); err == nil {
		t.Error("Open without clock and randomness succeeds")
	}
}

// TestDamage changes each file of an object behind the store's back.
func TestDamage(t *testing.T) {
	t.Parallel()
	const body = "0123456789"
	edit := func(change func(string) string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			raw, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, []byte(change(string(raw))), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	swap := func(from, to string) func(*testing.T, string) {
		return edit(func(s string) string { return strings.Replace(s, from, to, 1) })
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		record bool
		damage func(*testing.T, string)
		want   error // nil: any error
	}{
		"content cut short":        {false, edit(func(s string) string { return s[:9] }), objects.ErrDamaged},
		"content emptied":          {false, edit(func(string) string { return "" }), objects.ErrDamaged},
		"content extended":         {false, edit(func(s string) string { return s + "x" }), objects.ErrDamaged},
		"content removed":          {false, remove, objects.ErrNotFound},
		"record cut short":         {true, edit(func(s string) string { return s[:20] }), objects.ErrDamaged},
		"record emptied":           {true, edit(func(string) string { return "" }), objects.ErrDamaged},
		"record of another key":    {true, swap(`"a/b"`, `"a/c"`), objects.ErrDamaged},
		"record of no key":         {true, swap(`"a/b"`, `"../b"`), objects.ErrDamaged},
		"record with a wrong size": {true, swap(`"size":10`, `"size":11`), objects.ErrDamaged},
		"record with a path": {true,
			edit(func(s string) string {
				return regexp.MustCompile(`"id":"[^"]*"`).ReplaceAllString(s, `"id":"../../x"`)
			}), objects.ErrDamaged},
		"record of a newer format": {true, swap(`"v":1`, `"v":2`), nil},
		"record removed":           {true, remove, objects.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), true, objectstest.NewClock())
			info := put(t, s, "a/b", body)
			path, err := s.Path(t.Context(), "a/b", "")
			if err != nil {
				t.Fatal(err)
			}
			if c.record {
				path = strings.TrimSuffix(path, info.Version) + "versions"
			}
			c.damage(t, path)
			for _, span := range []*objects.Span{nil, {Offset: 0, Length: 1}} {
				body, _, err := s.Get(t.Context(), "a/b", info.Version, span)
				if err == nil {
					body.Close()
				}
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("Get: %v, want %v", err, c.want)
				}
			}
		})
	}
}

func TestTruncatedWhileRead(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), true, objectstest.NewClock())
	put(t, s, "a", strings.Repeat("x", 10_000))
	body, _, err := s.Get(t.Context(), "a", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	path, err := s.Path(t.Context(), "a", "")
	if err == nil {
		err = os.Truncate(path, 5_000)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); !errors.Is(err, objects.ErrDamaged) || len(got) != 5_000 {
		t.Errorf("a file cut to 5000 bytes while it was read: %d bytes, %v", len(got), err)
	}
}

// TestSameRandomness gives every version the same id: the content that is there must win.
func TestSameRandomness(t *testing.T) {
	t.Parallel()
	zero := zeros{}
	s, err := dir.Open(t.Context(),
		dir.Config{Dir: t.TempDir(), Versioned: true, Create: true, Clock: objectstest.NewClock(), Rand: zero})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, "a", "first")
	if _, err := s.Put(t.Context(), "a", strings.NewReader("second"), objects.PutOptions{Length: 6}); err == nil {
		t.Error("a version was given twice")
	}
	if got, err := get(t, s, "a", ""); got != "first" || err != nil {
		t.Errorf("the first version is now %q, %v", got, err)
	}
}

// TestVersionIsNoPath names, as a version, the files of another object: none may be touched or shown.
func TestVersionIsNoPath(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root, true, objectstest.NewClock())
	put(t, s, "a", "body")
	other := put(t, s, "b", "other")
	before := files(t, root)
	aligned := "xx/" + strings.Repeat("./", 5) + "../../b+/b@versions" // as long as a version is
	for _, version := range []string{aligned, "x/../../b+/b@versions", "x/../../b+/b@" + other.Version, "versions",
		"../b+/b@versions"} {
		for _, key := range []string{"a", "none"} {
			if err := s.Delete(t.Context(), key, version); err != nil {
				t.Errorf("Delete of version %q: %v", version, err)
			}
			if _, err := get(t, s, key, version); !errors.Is(err, objects.ErrNotFound) {
				t.Errorf("Get of version %q: %v, want ErrNotFound", version, err)
			}
		}
	}
	if diff := cmp.Diff(before, files(t, root)); diff != "" {
		t.Errorf("Delete of a version that is a path touched files (-before +after):\n%s", diff)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestRetainRacesDelete shows that a lock that was granted holds, and that one that came too late was not granted.
func TestRetainRacesDelete(t *testing.T) {
	t.Parallel()
	clock := objectstest.NewClock()
	s := open(t, t.TempDir(), true, clock)
	outcomes := map[bool]int{}
	for range 50 {
		info := put(t, s, "a", "body")
		deleted := make(chan error)
		go func() { deleted <- s.Delete(t.Context(), "a", info.Version) }()
		retained := s.Retain(t.Context(), "a", info.Version, clock.Now().Add(1e9))
		gone := <-deleted
		_, there := s.Stat(t.Context(), "a", info.Version)
		switch {
		case retained == nil && errors.Is(gone, objects.ErrLocked) && there == nil:
		case errors.Is(retained, objects.ErrNotFound) && gone == nil && errors.Is(there, objects.ErrNotFound):
		default:
			t.Fatalf("Retain: %v; Delete: %v; Stat: %v", retained, gone, there)
		}
		outcomes[retained == nil]++
		clock.Advance(1e10)
	}
	t.Logf("the lock came first %d times of 50", outcomes[true])
}

// sortedKeys are the keys that a store lists.
func sortedKeys(t testing.TB, s objects.Store) []string {
	t.Helper()
	keys := []string{}
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		keys = append(keys, info.Key)
	}
	if !slices.IsSorted(keys) {
		t.Errorf("List is not in order: %v", keys)
	}
	return keys
}
