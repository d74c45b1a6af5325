package main

import (
	"bufio"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// served is "muniment serve" as an operator runs it, within this process.
type served struct {
	url   string
	lines *bufio.Reader // what standard output has after the URL
	log   *logBuffer
	stop  func()
}

// serve serves what is configured, with a log of JSON.
func (r *real) serve() *served {
	r.t.Helper()
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(r.t.Context())
	s, ended := &served{lines: bufio.NewReader(out), log: &logBuffer{}}, make(chan int, 1)
	p := &cli.Program{Stdin: strings.NewReader(""), Stdout: in, Stderr: s.log, Getenv: func(name string) string {
		return map[string]string{"MUNIMENT_LOG_FORMAT": "json"}[name]
	}}
	go func() {
		code := run(ctx, p, node.OpenStorage, []string{"serve", "--config", filepath.Join(r.dir, "data.yaml"),
			"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"})
		_ = in.Close()
		ended <- code
	}()
	s.stop = func() {
		r.t.Helper()
		cancel()
		if code := <-ended; code != cli.ExitDone {
			r.t.Errorf("serve exits %d:\n%s", code, s.log)
		}
	}
	url, err := s.lines.ReadString('\n')
	if err != nil {
		r.t.Fatalf("serve prints no URL: %v\n%s", err, s.log)
	}
	s.url = strings.TrimSpace(url)
	return s
}

// code is the code of the next line, which is a founder's.
func (s *served) code(t *testing.T, begins string) string {
	t.Helper()
	line, err := s.lines.ReadString('\n')
	words := strings.Fields(line)
	if err != nil || !strings.HasPrefix(line, begins+"muniment principal claim --name 'YOUR NAME' mun_once_") {
		t.Fatalf("serve prints %q, %v, and not what a founder runs", line, err)
	}
	return words[len(words)-1]
}

// TestRealFounding: a vault with S3 and Vault has no first key. Two people found it with the codes that serve prints,
// each at a terminal of their own; a start in between makes new codes for the one who has not claimed a key.
func TestRealFounding(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	nobody := func(s *served) keeper { return keeper{t, map[string]string{"MUNIMENT_URL": s.url}} }

	s := r.serve()
	lost := s.code(t, remote.AdministratorLine)
	if said, ok := nobody(s).run(nil, "whoami"); ok {
		t.Errorf("without a key: %s", said)
	}
	late := s.code(t, remote.ApproverLine)
	s.stop()
	for _, secret := range []string{lost, late} {
		if strings.Contains(s.log.String(), secret) {
			t.Error("the log has a code in it")
		}
	}
	if !strings.Contains(s.log.String(), `"msg":"the vault waits for its founding`) {
		t.Errorf("the log does not say that the vault waits:\n%s", s.log)
	}

	s = r.serve()
	ada := s.code(t, remote.AdministratorLine)
	s.code(t, remote.ApproverLine)
	if said, ok := nobody(s).run(nil, "principal", "claim", lost); ok || !strings.Contains(said, "404") {
		t.Errorf("a code of the start before: %s", said)
	}
	administrator := filepath.Join(r.dir, "ada.token")
	said, ok := nobody(s).run(nil, "principal", "claim", "--name", "Ada Admin", "--to", administrator, ada)
	if !ok || !strings.Contains(said, "once the other founder has claimed theirs") {
		t.Fatal(said)
	}
	s.stop()

	s = r.serve()
	pat := s.code(t, remote.ApproverLine) // and none for the one who has claimed hers
	var claimed openapi.Claim
	if said, ok := nobody(s).run(&claimed, "principal", "claim", "--name", "Pat Approver", pat); !ok ||
		!claimed.Founded || !claimed.InForce {
		t.Fatalf("%s: %+v", said, claimed)
	}
	var all openapi.PrincipalList
	person := keeper{t, map[string]string{"MUNIMENT_URL": s.url, "MUNIMENT_TOKEN_FILE": administrator}}
	said, ok = person.run(&all, "principal", "list")
	var names []string
	for _, one := range all.Principals {
		names = append(names, remote.Text(one.Name))
	}
	if slices.Sort(names); !ok || !slices.Equal(names, []string{"Ada Admin", "Pat Approver"}) {
		t.Errorf("%s: %q", said, names)
	}
	s.stop()
	s = r.serve()
	s.stop()
	if rest, err := io.ReadAll(s.lines); err != nil || len(rest) > 0 {
		t.Errorf("a start of a vault that was founded prints %q, %v", rest, err)
	}
}
