//go:build unix

package bolt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/anchor/processtest"
)

const (
	seeded = 1000    // rows that are there before a scenario
	step   = 100     // rows that each Update adds
	limit  = 8 << 20 // bytes that the file may have, in the scenario with a limit
)

// report is what a scenario's process saw.
type report struct {
	First, Second string // outcomes of two Updates
	Text          string // the first one's error
	Rows          int    // seen afterwards
}

// playScenario opens the file and makes two Updates, and reports what came of them. All its system calls are this
// thread's, because strace counts them by thread.
func playScenario(name string, args []string) int {
	runtime.LockOSThread()
	if name == "limited" {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	s, err := bolt.Open(bolt.Config{Path: args[0]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var out report
	first := tryPut(s, seeded, seeded+rowsOf(name))
	out.First = outcome(first)
	if first != nil {
		out.Text = first.Error()
	}
	if err := count2(s, &out.Rows); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	out.Second = outcome(tryPut(s, out.Rows, out.Rows+step))
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		return 1
	}
	return 0
}

// rowsOf is how many rows a scenario's first Update writes.
func rowsOf(scenario string) int {
	if scenario == "growing" || scenario == "limited" {
		return 60_000 // some 30 MB, more than the file has room for
	}
	return step
}

func count2(s *bolt.Store, n *int) (err error) {
	*n, err = count(s)
	return err
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, journal.ErrUnknown):
		return "unknown"
	case errors.Is(err, journal.ErrFull):
		return "full"
	case errors.Is(err, journal.ErrStopped):
		return "stopped"
	default:
		return err.Error()
	}
}

// inject runs a scenario in a process of its own under strace, which makes a call fail or kills the process at it.
func inject(t *testing.T, scenario, path, injection string) (report, error) {
	t.Helper()
	options := []string{"-e", "inject=" + injection}
	if !strings.Contains(injection, "signal=") { // which strace does not send from a filter
		options = append(options, "--seccomp-bpf")
	}
	return play(t, scenario, path, strace(t, filepath.Join(t.TempDir(), "trace"), options...)...)
}

// play runs a scenario in a process of its own; tracer is a command that runs it, with its arguments, or none.
func play(t *testing.T, scenario, path string, tracer ...string) (report, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := append(slices.Clone(tracer), self, path)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	// A program with the race detector would otherwise sleep for a second before it ends.
	cmd.Env = append(os.Environ(), childEnv+"="+scenario, "GORACE=atexit_sleep_ms=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return report{}, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("the scenario's output is %q: %v", out, err)
	}
	return r, nil
}

// strace is the command that writes a program's writes and syncs to a file, or skips the test where there is none. With
// --seccomp-bpf it stops the program at these calls alone, which is some ten times as fast.
func strace(t *testing.T, trace string, options ...string) []string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		processtest.Missing(t, "strace, which injects the faults of a disk, is missing", "apt-get install strace")
	}
	if out, err := exec.Command(path, "-qq", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		processtest.Missing(t, fmt.Sprintf("strace may not trace here: %v: %s", err, out),
			"in a container, add the capability SYS_PTRACE")
	}
	return append([]string{path, "-f", "-qq", "-o", trace,
		"-e", "trace=pwrite64,fdatasync,fsync,ftruncate"}, options...)
}

// verify opens the file again, which must be consistent, and returns its rows.
func verify(t *testing.T, path string) int {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt's check: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	s, err := tryOpen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, err := count(s)
	if err != nil {
		t.Error(err)
	}
	return n
}

// TestDiskFaults makes each kind of call of a commit fail: the write of the pages, the growing of the file, the first
// sync, the write of the meta page, and the sync after it.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it traces a process for each fault; left out by -short")
	}
	if runtime.GOOS != "linux" {
		t.Skip("strace injects the faults, and is Linux's alone")
	}
	pages := countWrites(t)
	full := report{First: "full", Second: "done", Rows: seeded}
	unknown := report{First: "unknown", Second: "stopped", Rows: seeded}
	tookEffect := report{First: "unknown", Second: "stopped", Rows: seeded + step}
	for _, c := range []struct {
		name, scenario, inject string
		want                   report
	}{
		{"no room for the first page", "plain", "pwrite64:error=ENOSPC:when=1", full},
		{"no room for a later page", "plain", fmt.Sprintf("pwrite64:error=ENOSPC:when=%d", pages-1), full},
		{"no room for the meta page", "plain", fmt.Sprintf("pwrite64:error=ENOSPC:when=%d", pages), full},
		{"over quota", "plain", "pwrite64:error=EDQUOT:when=1", full},
		{"no room found by the first sync", "plain", "fdatasync:error=ENOSPC:when=1", full},
		{"no room found by the second sync", "plain", "fdatasync:error=ENOSPC:when=2", tookEffect},
		{"no room to grow", "growing", "ftruncate:error=ENOSPC:when=1", full},
		{"over quota by growing", "growing", "ftruncate:error=EDQUOT:when=1", full},
		{"no room found by the sync of growing", "growing", "fsync:error=ENOSPC:when=1", full},
		{"pages not written", "plain", "pwrite64:error=EIO:when=1", unknown},
		{"meta page not written", "plain", fmt.Sprintf("pwrite64:error=EIO:when=%d", pages), unknown},
		{"first sync", "plain", "fdatasync:error=EIO:when=1", unknown},
		{"second sync", "plain", "fdatasync:error=EIO:when=2", tookEffect},
		{"growing", "growing", "ftruncate:error=EIO:when=1", unknown},
		{"sync of growing", "growing", "fsync:error=EIO:when=1", unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal.db")
			fill(t, path, seeded)
			got, err := inject(t, c.scenario, path, c.inject)
			if err != nil {
				t.Fatal(err)
			}
			text := got.Text
			if got.Text = ""; got != c.want {
				t.Errorf("the process saw %+v, want %+v; its error: %s", got, c.want, text)
			}
			if !strings.Contains(text, path) {
				t.Errorf("the error does not name the file: %s", text)
			}
			rows := got.Rows
			if got.Second == "done" {
				rows += step
			}
			if n := verify(t, path); n != rows {
				t.Errorf("the file has %d rows, want %d", n, rows)
			}
		})
	}
}

// countWrites counts the writes of a scenario's first Update: those of its pages, a sync, that of the meta page, and
// another sync.
func countWrites(t *testing.T) int {
	t.Helper()
	path, trace := filepath.Join(t.TempDir(), "journal.db"), filepath.Join(t.TempDir(), "trace")
	fill(t, path, seeded)
	if _, err := play(t, "plain", path, strace(t, trace, "--seccomp-bpf")...); err != nil {
		t.Fatal(err)
	}
	calls, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(calls), "fdatasync(", 3)
	if len(parts) != 3 || strings.Count(parts[1], "pwrite64(") != 1 {
		t.Fatalf("the first Update is not pages, sync, meta page, sync: %s", calls)
	}
	return strings.Count(parts[0], "pwrite64(") + 1
}

// TestFileSizeLimit meets a real limit. bbolt tells of it by text alone.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	fill(t, path, seeded)
	if err := os.Truncate(path, 4<<20); err != nil { // which bbolt has grown ahead
		t.Fatal(err)
	}
	got, err := play(t, "limited", path)
	if err != nil {
		t.Fatal(err)
	}
	text := got.Text
	if got.Text = ""; got != (report{First: "full", Second: "done", Rows: seeded}) {
		t.Errorf("the process saw %+v: %s", got, text)
	}
	if n := verify(t, path); n != seeded+step {
		t.Errorf("the file has %d rows, want %d", n, seeded+step)
	}
}

// TestKilledInCommit kills the process at each write of a commit.
func TestKilledInCommit(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it traces a process for each fault; left out by -short")
	}
	if runtime.GOOS != "linux" {
		t.Skip("strace kills at a system call, and is Linux's alone")
	}
	for _, at := range []string{"pwrite64:signal=KILL:when=1", "pwrite64:signal=KILL:when=4",
		"fdatasync:signal=KILL:when=1", "fdatasync:signal=KILL:when=2", "fdatasync:signal=KILL:when=3"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal.db")
			fill(t, path, seeded)
			if _, err := inject(t, "plain", path, at); err == nil {
				t.Fatal("the process ended by itself")
			}
			if n := verify(t, path); n%step != 0 || n < seeded {
				t.Errorf("the file has %d rows, want whole transactions", n)
			}
		})
	}
}
