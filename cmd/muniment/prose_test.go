package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostFiles is how many production files a package may have. The journal has more: its fsck and restore would need a
// hundred of its names exported.
const mostFiles = 40

// mostColumns is how wide a line may be; a tab counts as four columns.
const mostColumns = 120

// headless is how a sentence begins whose subject is a clause, which a reader has to take apart first.
var headless = regexp.MustCompile(
	`^(What|Whoever|Whatever|Which|One that|One who|Those that|Those who|Of (the|what|those))\b`)

var (
	sentences = regexp.MustCompile(`[.?!] `)
	generated = regexp.MustCompile(`\.gen\.go$`)
)

// TestEveryPackageIsOneNoun: a package that has more files than a reader can take in has more than one subject.
func TestEveryPackageIsOneNoun(t *testing.T) {
	t.Parallel()
	files := map[string]int{}
	eachGoFile(t, func(path string, _ []byte) {
		if !strings.HasSuffix(path, "_test.go") {
			files[filepath.Dir(path)]++
		}
	})
	for dir, n := range files {
		if n > mostFiles && !strings.HasSuffix(dir, "anchor/journal") {
			t.Errorf("%s has %d files: it is more than one noun", dir, n)
		}
	}
}

// TestLinesFitBesideOthers: no line is wider than half a screen.
func TestLinesFitBesideOthers(t *testing.T) {
	t.Parallel()
	eachGoFile(t, func(path string, source []byte) {
		for i, line := range strings.Split(string(source), "\n") {
			if n := len([]rune(strings.ReplaceAll(line, "\t", "    "))); n > mostColumns {
				t.Errorf("%s:%d has %d columns, of at most %d", path, i+1, n, mostColumns)
			}
		}
	})
}

// TestCommentsHaveASubject: no sentence of a comment opens with a clause in the subject's place.
func TestCommentsHaveASubject(t *testing.T) {
	t.Parallel()
	found := 0
	eachGoFile(t, func(path string, source []byte) {
		for _, c := range comments(t, path, source) {
			for _, sentence := range sentences.Split(strings.Join(strings.Fields(c.Text()), " "), -1) {
				found++
				if headless.MatchString(sentence) {
					t.Errorf("%s: a comment says: %s: give the sentence a subject", path, sentence)
				}
			}
		}
	})
	if found < 1000 {
		t.Fatalf("only %d sentences found", found)
	}
}

// comments are the comments of a source file.
func comments(t *testing.T, path string, source []byte) []*ast.CommentGroup {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f.Comments
}

// eachGoFile reads every Go file of this module that a person wrote.
func eachGoFile(t *testing.T, fn func(path string, source []byte)) {
	t.Helper()
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
		if filepath.Ext(path) != ".go" || generated.MatchString(path) {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fn(path, source)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
