package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"muniment/anchor/evidence"
)

func TestMain(m *testing.M) {
	// A race-built program sleeps a second before it exits; here it ends at the first race instead.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0 halt_on_error=1")
	testscript.Main(m, map[string]func(){"muniment-verify": main})
}

// TestScripts runs the command on copies of the golden files.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return os.CopyFS(env.WorkDir, os.DirFS(filepath.Join("..", "..", "anchor", "evidence", "testdata")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs the verifier and demands an exit status: exits CODE ARGUMENT…; what it wrote is left for stdout and
// stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits CODE ARGUMENT...")
	}
	for i, arg := range args {
		args[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	ts.Check(ts.Exec("sh", "-c", "muniment-verify "+strings.Join(args[1:],
		" ")+"; got=$?; test $got -eq "+strconv.Itoa(want)+
		` || { echo "exit status $got" >&2; exit 1; }`))
}

// TestLargeDocument verifies a document that does not fit the memory a reader of whole files would need: it is
// streamed. It runs alone, since what other tests allocate would count.
func TestLargeDocument(t *testing.T) {
	const size = 64 << 20
	name := filepath.Join(t.TempDir(), "large")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	// A sparse file of zeros takes no room on the disk.
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	evidenceFile := filepath.Join("..", "..", "anchor", "evidence", "testdata", "disclosed.json")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in, err := input("", []string{evidenceFile, name})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
		t.Errorf("reading a document of %d bytes allocated %d bytes", size, allocated)
	}
	want := sha256.New()
	if _, err := io.CopyN(want, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(in.Digest); got != hex.EncodeToString(want.Sum(nil)) {
		t.Errorf("digest %s", got)
	}
	if v := evidence.Verify(in).Verdict; v != evidence.DoesNotMatch {
		t.Errorf("verdict %q", v)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
