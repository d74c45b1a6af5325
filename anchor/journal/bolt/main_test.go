//go:build unix

package bolt_test

import (
	"os"
	"testing"
)

// childEnv names the scenario that this process is to play instead of running tests: some faults are the whole
// process's.
const childEnv = "MUNIMENT_BOLT_SCENARIO"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(playScenario(name, os.Args[1:]))
	}
	os.Exit(m.Run())
}
