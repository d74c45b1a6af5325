// Package servertest starts the real servers that tests run against, each on a free port of the loopback interface with
// a folder of its own, and ends them with the test; and it stands proxies in front of them that fail as told. It needs
// nothing but the standard library and knows nothing of what is tested, so that the tests of every layer may use it.
//
// A server comes from the user's cache folder, where `make servers` builds the pinned versions, or from PATH when its
// version is the pinned one. Where there is none the test is skipped with a line that says how to get it; where
// MUNIMENT_TESTS is "complete", as in `make test`, it fails instead. Every other test that needs something of the
// machine does the same by Missing.
//
// Each call starts a fresh server and ends it with the test that it was given. Tests that want to share one are
// subtests of one test.
package servertest

import (
	"os"
	"testing"
)

// Options say how a server is to differ from the usual; the zero value is the usual.
type Options struct {
	TLS          bool   // with a certificate of its own for 127.0.0.1 and localhost, whose CA is in CAFile
	Region       string // of an S3 server; "" is us-east-1
	NoVersioning bool   // Versitygw: buckets cannot be versioned, but can have Object Lock all the same
	NoKMS        bool   // MinIO: a request for SSE-S3 is refused
}

// Missing says that the test cannot run here, because what is missing, and how to get it. It skips the test; where
// MUNIMENT_TESTS is "complete" it fails it, so that a complete run is one in which nothing was left out.
func Missing(t testing.TB, what, how string) {
	t.Helper()
	if os.Getenv("MUNIMENT_TESTS") == "complete" {
		t.Fatalf("%s: %s (MUNIMENT_TESTS=complete demands it)", what, how)
	}
	t.Skipf("%s: %s", what, how)
}
