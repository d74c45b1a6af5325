package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"muniment/anchor/processtest"
)

// twin is a server on a copy of the victim's data folder, as a snapshot of a machine that is started beside it has it:
// both use the same release and objects.
func (v *victim) twin() *victim {
	v.t.Helper()
	w := newVictim(v.t, "muniment")
	w.token = v.token
	must := func(err error) {
		v.t.Helper()
		if err != nil {
			v.t.Fatal(err)
		}
	}
	must(os.Mkdir(w.dir, 0o700))
	entries, err := os.ReadDir(v.dir)
	must(err)
	for _, e := range entries {
		from, to := filepath.Join(v.dir, e.Name()), filepath.Join(w.dir, e.Name())
		switch {
		case e.Name() == "release", e.Name() == "objects":
			must(os.Symlink(from, to))
		case e.IsDir():
			must(os.CopyFS(to, os.DirFS(from)))
		default:
			copyFile(v.t, to, from, 0o600)
		}
	}
	return w
}

// readFor reads a document for a purpose, and returns the status; 0 when the server is gone.
func (v *victim) readFor(id, purpose string) int {
	return v.status(http.MethodGet, "/v1/documents/"+id+"/content", "", map[string]string{"Muniment-Purpose": purpose})
}

// purposes are those of the reads that a document's history has.
func (v *victim) purposes(id string) (all []string) {
	v.t.Helper()
	resp, body := v.call(http.MethodGet, "/v1/documents/"+id+"/history", nil, nil)
	if resp == nil || resp.StatusCode != http.StatusOK {
		v.t.Fatalf("reading the history: %v %s\n%s", resp, body, v.stderr)
	}
	var history struct {
		Entries []struct{ Body string }
	}
	if err := json.Unmarshal(body, &history); err != nil {
		v.t.Fatal(err)
	}
	for _, e := range history.Entries {
		var event struct {
			Type string
			Data struct{ Purpose string }
		}
		if err := json.Unmarshal([]byte(e.Body), &event); err != nil {
			v.t.Fatal(err)
		}
		if strings.HasPrefix(event.Type, "document.read/") {
			all = append(all, event.Data.Purpose)
		}
	}
	return all
}

// TestTwoGateways: a second server on a copy of the data folder, over the same stores, waits for the end of the first
// one's lease. All that either of them has handed out is in the one history that goes on.
func TestTwoGateways(t *testing.T) {
	long(t, "it waits for the end of a lease")
	t.Parallel()
	a, b, id := twoGateways(t)
	var served []string
	read := func(v *victim, purpose string) int {
		status := v.readFor(id, purpose)
		if status == http.StatusOK {
			served = append(served, purpose)
		}
		return status
	}
	if got := read(a, "a-alone"); got != http.StatusOK {
		t.Fatalf("the first server answers %d", got)
	}
	began := time.Now()
	if !b.start(nil) {
		t.Fatalf("the second server did not start\n%s", b.stderr)
	}
	if waited := time.Since(began); waited < 25*time.Second {
		t.Errorf("the second server has waited only %s", waited)
	}
	for i := range 20 {
		if got := read(a, fmt.Sprintf("a-%d", i)); got == http.StatusOK {
			t.Errorf("the first server serves content after the second has begun")
		}
		if got := read(b, fmt.Sprintf("b-%d", i)); got != http.StatusOK {
			t.Errorf("the second server answers %d\n%s", got, b.stderr)
		}
	}
	if got := a.status(http.MethodPost, "/v1/documents", "content", nil); got == http.StatusCreated {
		t.Error("the first server takes a deposit")
	}
	onRecord := b.purposes(id)
	for _, purpose := range served {
		if !slices.Contains(onRecord, purpose) {
			t.Errorf("what was read for %s is off the record", purpose)
		}
	}
	a.isOvertaken()
	if err := b.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	b.fsck()
}

// twoGateways is a server with a document, started again, and one on a copy of its folder, not started yet.
func twoGateways(t *testing.T) (a, b *victim, id string) {
	t.Helper()
	a = newVictim(t, "muniment")
	if !a.start(nil) {
		t.Fatalf("the server did not start\n%s", a.stderr)
	}
	a.load("before", 1)
	if err := a.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b = a.twin()
	if !a.start(nil) {
		t.Fatalf("the server did not start again\n%s", a.stderr)
	}
	return a, b, a.acked["before-0-0"].ID
}

// isOvertaken checks that a server ends because another one has taken over, and does not start again: it has entries
// that nobody will ever see.
func (v *victim) isOvertaken() {
	v.t.Helper()
	processtest.Await(v.t, "the server says why it ends", func() bool {
		return strings.Contains(v.stderr.String(), "another server has taken")
	})
	if err := v.cmd.Wait(); err == nil {
		v.t.Error("the server has ended as if all were well")
	}
	v.cmd = nil
	if v.start(nil) {
		v.t.Error("the server starts again")
	} else if !strings.Contains(v.stderr.String(), "contradicts the released head") {
		v.t.Errorf("it does not say why it does not start\n%s", v.stderr)
	}
}

// TestABusyServerIsNotOvertaken: a second server on a copy of the data folder gives up while the first one works.
func TestABusyServerIsNotOvertaken(t *testing.T) {
	long(t, processes)
	t.Parallel()
	a, b, id := twoGateways(t)
	gaveUp := make(chan bool)
	go func() { gaveUp <- !b.start(nil) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case ok := <-gaveUp:
			if !ok || !strings.Contains(b.stderr.String(), "another server works with this release bucket") {
				t.Errorf("the second server gave up: %v\n%s", ok, b.stderr)
			}
			return
		case <-tick.C:
			if got := a.readFor(id, fmt.Sprintf("busy-%d", n)); got != http.StatusOK {
				t.Fatalf("the first server answers %d\n%s", got, a.stderr)
			}
		}
	}
}
