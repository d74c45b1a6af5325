// Package processtest starts the programs that tests run against, each on a free port of the loopback interface with a
// folder of its own, and ends them with the test; and it says what a test is missing of the machine. It needs nothing
// but the standard library and knows nothing of what is tested, so that the tests of every layer may use it.
//
// A program comes from the user's cache folder, where `make servers` builds the pinned versions, or from PATH when its
// version is the pinned one. Where there is none the test is skipped with a line that says how to get it; where
// MUNIMENT_TESTS is "complete", as in `make test`, it fails instead. Every other test that needs something of the
// machine does the same by Missing.
package processtest

import (
	"os"
	"testing"
)

// Missing says that the test cannot run here, because what is missing, and how to get it. It skips the test; where
// MUNIMENT_TESTS is "complete" it fails it, so that a complete run is one in which nothing was left out.
func Missing(t testing.TB, what, how string) {
	t.Helper()
	if os.Getenv("MUNIMENT_TESTS") == "complete" {
		t.Fatalf("%s: %s (MUNIMENT_TESTS=complete demands it)", what, how)
	}
	t.Skipf("%s: %s", what, how)
}
