package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"muniment/cmd/muniment/cli"
)

// TestMain lets the test binary be the program too: scripts and tests start it under these names, race-built when the
// tests are, so that races inside a server that is killed or loses its disk are looked for as well.
func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"muniment": main, "crashing-muniment": crashingMain,
		"profiled-muniment": profiledMain})
}

// suite is all tests of this package.
type suite struct{ *testing.M }

// atOnce is how many tests run side by side unless -parallel says otherwise. It is more than there are processors,
// because a test of a whole program mostly waits: for a disk, for a server, for a timeout. With many more, servers
// would seldom answer within the short timeouts that the tests of faults set.
const atOnce = 4

// Run implements [testscript.TestingM].
func (s suite) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce)) // the flag is there, and takes a number
	}
	// A race-built program sleeps a second before it exits, for the sake of races that are yet to be reported. The
	// programs that these tests start exit many hundred times; they end at the first race instead, and fail the test.
	_ = os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0 halt_on_error=1"))
	var err error
	if shared, err = os.MkdirTemp("", "muniment-tests"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return cli.ExitFailed
	}
	defer os.RemoveAll(shared)
	return s.M.Run()
}

// long leaves a test out of a -short run, which is for the package's heart.
func long(t *testing.T, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves this out: " + why)
	}
}

// The reasons for which tests are left out of a -short run.
const (
	realServers = "it starts real servers"
	processes   = "it starts the program and ends it, many times over"
)

// shared is a folder for what the tests of one run share; Run removes it.
var shared string

// buildVerifier builds the auditor's own program.
var buildVerifier = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(shared, "muniment-verify")
	out, err := exec.Command("go", "build", "-o", path, "muniment/cmd/muniment-verify").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the verifier: %w\n%s", err, out)
	}
	return path, nil
})

// verifier is the path of the auditor's own program, which is built once for all tests.
func verifier(t *testing.T) string {
	t.Helper()
	path, err := buildVerifier()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
