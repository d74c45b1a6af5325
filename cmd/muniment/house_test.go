package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

const root = "../.."

// TestReadmeNamesEveryDependency: each module that our packages import stands in the README with what it is for, and no
// other does.
func TestReadmeNamesEveryDependency(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for path := range imports(t) {
		for _, r := range mod.Require {
			if path == r.Mod.Path || strings.HasPrefix(path, r.Mod.Path+"/") {
				direct[r.Mod.Path] = true
			}
		}
	}
	if len(direct) < 10 {
		t.Fatalf("only %d direct dependencies found", len(direct))
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(readme), "| module | for |")
	if !found {
		t.Fatal("the README has no list of dependencies")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	listed := map[string]bool{}
	for i, word := range strings.Split(table, "`") {
		if i%2 == 1 {
			listed[word] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(direct)) {
		if !listed[path] {
			t.Errorf("the README does not say what %s is for", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(listed)) {
		if !direct[path] {
			t.Errorf("the README lists %s, which nothing imports", path)
		}
	}
}

// TestGuidesLinkToWhatIsThere: relative links in the guides lead to files.
func TestGuidesLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	guides, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*/README.md", "*/*/README.md"} {
		more, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		guides = append(guides, more...)
	}
	found := 0
	for _, guide := range guides {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			found++
			if _, err := os.Stat(filepath.Join(filepath.Dir(guide), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", guide, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d links found", found)
	}
}

// imports are the paths that the packages of this module import, tests included.
func imports(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if path != root && (nested == nil || e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			all[name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestWhatIsReadWholeHasABound: files, objects and answers are read whole by package bounded alone, or from a reader
// that ends. Tests read what is their own, and the program reads no answers with the generated client.
func TestWhatIsReadWholeHasABound(t *testing.T) {
	t.Parallel()
	whole := regexp.MustCompile(`\bio\.ReadAll\(|\bos\.ReadFile\(`)
	ends := regexp.MustCompile(`io\.ReadAll\(io\.LimitReader\(|os\.ReadFile\(fmt\.Sprintf\("/proc/`)
	own := regexp.MustCompile(`_test\.go$|/(bounded|servertest|objectstest|processtest|proxytest)/|^openapi/client/`)
	looked := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+"/"))
		if e.IsDir() && (e.Name() == "testdata" || path != root && strings.HasPrefix(e.Name(), ".")) {
			return filepath.SkipDir
		}
		if e.IsDir() || filepath.Ext(path) != ".go" || own.MatchString(name) {
			return nil
		}
		looked++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if whole.MatchString(line) && !ends.MatchString(line) {
				t.Errorf("%s:%d reads something whole without a bound: use package bounded", name, i+1)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if looked < 100 {
		t.Errorf("only %d files were found", looked)
	}
}
