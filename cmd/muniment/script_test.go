package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// TestScripts runs the program itself, as a user would. A -short run has the whole way of a document alone.
func TestScripts(t *testing.T) {
	t.Parallel()
	params := testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "UTC")
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Values[serverKey{}] = &server{}
			e.Defer(func() { e.Values[serverKey{}].(*server).kill(syscall.SIGKILL) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": startServer, "halt": haltServer, "jsonfield": jsonField, "flip": flip, "spoilfree": spoilFree,
			"repeat": repeat, "verify": verifyEvidence, "found": foundTenant, "person": addPerson,
		},
		RequireExplicitExec: true,
	}
	if testing.Short() {
		params.Dir, params.Files = "", []string{"testdata/script/path.txtar"}
	}
	testscript.Run(t, params)
}

type serverKey struct{}

// server is the one server that a script may have running.
type server struct {
	pair   *remote.Pair // the founders of its tenant, after the command found
	cmd    *exec.Cmd
	stderr *strings.Builder
}

func (s *server) kill(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	err := s.cmd.Wait()
	s.cmd = nil
	return err
}

// startServer starts "muniment serve" over $WORK/data (or with the arguments given), sets MUNIMENT_URL and, of a fresh
// folder, MUNIMENT_TOKEN.
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! server")
	}
	s := ts.Value(serverKey{}).(*server)
	if s.cmd != nil {
		ts.Fatalf("a server is running already")
	}
	program, err := exec.LookPath("muniment")
	ts.Check(err)
	args = append([]string{"serve", "--data", ts.MkAbs("data"), "--listen", "127.0.0.1:0", "--admin-listen",
		"127.0.0.1:0"}, args...)
	s.cmd, s.stderr = exec.Command(program, args...), &strings.Builder{}
	s.cmd.Stderr, s.cmd.Dir = s.stderr, ts.MkAbs(".")
	s.cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	fresh := true
	if _, err := os.Stat(filepath.Join(ts.MkAbs("data"), "keys.json")); err == nil {
		fresh = false
	}
	ts.Check(s.cmd.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		_ = s.cmd.Wait()
		s.cmd = nil
		ts.Fatalf("serve printed no URL:\n%s", s.stderr)
	}
	ts.Setenv("MUNIMENT_URL", lines.Text())
	if fresh {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "mun_") {
			ts.Fatalf("serve printed no API key, but %q", lines.Text())
		}
		ts.Setenv("MUNIMENT_TOKEN", lines.Text())
	}
}

// foundTenant has two people of the script found the tenant of the server, which is on trial. MUNIMENT_TOKEN is the
// administrator's from then on, FOUNDING_APPROVER the approver's.
func foundTenant(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, url := context.Background(), ts.Getenv("MUNIMENT_URL")
	trial, err := remote.New(url, ts.Getenv("MUNIMENT_TOKEN"), remote.NewTransport(1))
	ts.Check(err)
	defer trial.Close()
	begun, err := trial.FoundTenant(ctx, "Administrator of the script", "Approver of the script")
	ts.Check(err)
	pair, err := remote.FoundAsPair(ctx, url, begun.Administrator.Code, begun.Approver.Code, remote.NewTransport(1))
	ts.Check(err)
	ts.Defer(pair.Close)
	ts.Value(serverKey{}).(*server).pair = pair
	ts.Setenv("MUNIMENT_TOKEN", pair.AdministratorKey)
	ts.Setenv("FOUNDING_APPROVER", pair.ApproverKey)
}

// addPerson makes a principal, which the founders approve: person VARIABLE NAME ROLE …. The variable gets the API key,
// VARIABLE_ID the id.
func addPerson(ts *testscript.TestScript, _ bool, args []string) {
	pair := ts.Value(serverKey{}).(*server).pair
	if pair == nil || len(args) < 3 {
		ts.Fatalf("usage: person VARIABLE NAME ROLE …, after found")
	}
	var grants []openapi.Grant
	for _, role := range args[2:] {
		grants = append(grants, openapi.Grant{Role: openapi.GrantRole(role)})
	}
	added, err := pair.Add(context.Background(), args[1], grants)
	ts.Check(err)
	ts.Setenv(args[0], added.Key)
	ts.Setenv(args[0]+"_ID", added.ID)
}

// haltServer ends the server: "halt" with SIGTERM, after which it must exit 0, "halt kill" with SIGKILL.
func haltServer(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey{}).(*server)
	if s.cmd == nil {
		ts.Fatalf("no server is running")
	}
	if len(args) > 0 && args[0] == "kill" {
		_ = s.kill(syscall.SIGKILL)
		return
	}
	err := s.kill(syscall.SIGTERM)
	ts.Logf("serve's standard error:\n%s", s.stderr)
	if (err != nil) != neg {
		ts.Fatalf("serve ended with %v", err)
	}
}

// jsonField reads standard output's JSON and sets a variable: jsonfield ID documents.0.id
func jsonField(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: jsonfield VARIABLE path.to.field")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for name := range strings.SplitSeq(args[1], ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			var i int
			_, err := fmt.Sscan(name, &i)
			ts.Check(err)
			if i >= len(in) {
				ts.Fatalf("there are only %d of them", len(in))
			}
			v = in[i]
		}
	}
	if v == nil {
		ts.Fatalf("no %s", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

// flip flips a bit in each file that the pattern names.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no file is called %s", args[0])
	}
	for _, f := range files {
		ts.Check(flipBit(f))
	}
}

// repeat writes a file of a text many times over: repeat FILE TEXT COUNT
func repeat(ts *testscript.TestScript, _ bool, args []string) {
	var n int
	_, err := fmt.Sscan(args[2], &n)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(args[1], n)), 0o600))
}

// spoilFree writes over each page of a database's file that lists free pages.
func spoilFree(ts *testscript.TestScript, _ bool, args []string) {
	const page, kind, list = 4096, 8, 0x10
	path := ts.MkAbs(args[0])
	raw, err := os.ReadFile(path)
	ts.Check(err)
	for at := 2 * page; at+page <= len(raw); at += page {
		if raw[at+kind] == list {
			for i := range 200 {
				raw[at+16+i] = 0x5a
			}
		}
	}
	ts.Check(os.WriteFile(path, raw, 0o600))
}
