package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
)

// keeper is the program as a person runs it: with an API key, and perhaps with a token for Vault.
type keeper struct {
	t   *testing.T
	env map[string]string
}

// run runs a command, whose standard output must be JSON when into is not nil. It returns standard error.
func (k keeper) run(into any, args ...string) (string, bool) {
	k.t.Helper()
	var stdout, stderr bytes.Buffer
	around := &cli.Program{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(name string) string { return k.env[name] }}
	ok := run(k.t.Context(), around, node.OpenStorage, append(args, "-o", "json")) == cli.ExitDone
	if ok && into != nil {
		if err := json.Unmarshal(stdout.Bytes(), into); err != nil {
			k.t.Fatalf("%v: %s", err, stdout.String())
		}
	}
	return stderr.String(), ok
}
