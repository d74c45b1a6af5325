package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
)

// cpuTimes is the processor time that this process and each of its children have used, by the program's name (proc(5)).
// Of a machine that other work shares, it says more than rates do.
func cpuTimes() (map[string]time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	out := map[string]time.Duration{}
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		begin, end := strings.IndexByte(string(raw), '('), strings.LastIndexByte(string(raw), ')')
		fields := strings.Fields(string(raw[end+1:])) // from the state on, which is field 3
		name, pid := string(raw[begin+1:end]), strings.TrimSpace(string(raw[:begin]))
		switch {
		case pid == strconv.Itoa(os.Getpid()):
			name = "client"
		case fields[1] != strconv.Itoa(os.Getpid()):
			continue
		}
		var user, system int64
		if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		out[name] += time.Duration(user+system) * (time.Second / 100)
	}
	return out, nil
}

// profileFile names the file that the profiled program writes its CPU profile to.
const profileFile = "MUNIMENT_TEST_CPU_PROFILE"

// profiledMain is main, with a profile of all that it does.
func profiledMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f, err := os.Create(os.Getenv(profileFile))
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(cli.ExitFailed)
	}
	around := &cli.Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}
	code := run(ctx, around, node.OpenStorage, os.Args[1:])
	pprof.StopCPUProfile()
	if err := f.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// program is where a program that TestMain has made is.
func (r *real) program(name string) string {
	r.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return path
}
