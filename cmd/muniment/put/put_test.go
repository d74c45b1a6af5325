package put

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
)

// putting runs put against a server that is not ours, and returns the exit code and standard error.
func putting(t *testing.T, ctx context.Context, url string, stdin io.Reader, args ...string) (int, string) {
	t.Helper()
	var out, errs bytes.Buffer
	around := &cli.Program{
		Stdin: stdin, Stdout: &out, Stderr: &errs,
		Getenv: func(name string) string { return map[string]string{"MUNIMENT_URL": url}[name] },
	}
	root := &cobra.Command{Use: "muniment"}
	around.AddFlags(root)
	root.AddCommand(Command(around))
	return around.Run(ctx, root, append([]string{"put"}, args...)), errs.String()
}

// TestPutInterrupted: whoever stops a deposit learns that it may have been kept, and how to find out.
func TestPutInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	code, errs := putting(t, ctx, server.URL, strings.NewReader("A text."), "-")
	if code != cli.ExitFailed {
		t.Errorf("exit code %d, want %d", code, cli.ExitFailed)
	}
	for _, want := range []string{"interrupted", "whether it was kept is not known; muniment ls shows it",
		"safe to repeat"} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr does not say %q:\n%s", want, errs)
		}
	}
	code, errs = putting(t, ctx, server.URL, nil, "put_test.go", "put.go")
	if code != cli.ExitFailed || !strings.Contains(errs, "interrupted: 2 of 2 were not deposited") {
		t.Errorf("interrupted before anything was sent: %d %s", code, errs)
	}
}

// TestPutComesAgain: a server that is busy, or behind a proxy that has lost it, is asked again with the same key and
// the same whole content; what it refuses for good is not.
func TestPutComesAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte("A text."), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		status  int
		problem string
		again   bool
	}{
		"busy": {429,
			`{"type":"/problems/too-many-requests",` +
				`"title":"Too many","status":429,"retry":true,"request_id":"r"}`, true},
		"sealed": {503,
			`{"type":"/problems/key-service-unavailable",` +
				`"title":"Down","status":503,"retry":true,"request_id":"r"}`, true},
		"proxy": {502, `<html>bad gateway</html>`, true},
		"denied keys": {503,
			`{"type":"/problems/key-service-denies",` +
				`"title":"Denied","status":503,"retry":false,"request_id":"r"}`, false},
		"refused": {422,
			`{"type":"/problems/bad-metadata","title":"Bad","status":422,"retry":false,"request_id":"r"}`, false},
		"full": {507,
			`{"type":"/problems/journal-full","title":"Full","status":507,"retry":true,"request_id":"r"}`, false},
		"other": {404, `not found`, false},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			var keys [2]string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := calls.Add(1)
				body, _ := io.ReadAll(r.Body)
				if n > 2 || string(body) != "A text." {
					t.Errorf("call %d has the body %q", n, body)
					return
				}
				if keys[n-1] = r.Header.Get("Idempotency-Key"); n == 1 {
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, c.problem)
					return
				}
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w,
					`{"id":"1","created":true,"receipt":{"index":1},"document":{"id":"1","size":7}}`)
			}))
			defer server.Close()
			code, errs := putting(t, t.Context(), server.URL, nil, "--retry-for", "20s", file)
			if c.again && (code != cli.ExitDone || calls.Load() != 2 || keys[0] == "" || keys[0] != keys[1]) {
				t.Errorf("exit code %d after %d calls with the keys %q: %s", code, calls.Load(), keys, errs)
			}
			if !c.again && (code != cli.ExitFailed || calls.Load() != 1) {
				t.Errorf("exit code %d after %d calls: %s", code, calls.Load(), errs)
			}
		})
	}
}

// TestDerivedKeys: the key follows from content, place and metadata, and from nothing else.
func TestDerivedKeys(t *testing.T) {
	base := remote.Deposit{Digest: []byte("digest"), Series: "a", Attributes: map[string]string{"x": "1", "y": "2"},
		LedgerRefs: []string{"eip155:1 0x1"}}
	key := func(change func(*remote.Deposit), below string) string {
		d := base
		change(&d)
		got, err := derivedKey(d, below)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	seen := map[string]string{}
	for name, got := range map[string]string{
		"":           key(func(*remote.Deposit) {}, "a/b"),
		"place":      key(func(*remote.Deposit) {}, "a/c"),
		"content":    key(func(d *remote.Deposit) { d.Digest = []byte("other") }, "a/b"),
		"series":     key(func(d *remote.Deposit) { d.Series = "b" }, "a/b"),
		"title":      key(func(d *remote.Deposit) { d.Title = "b" }, "a/b"),
		"file name":  key(func(d *remote.Deposit) { d.FileName = "b" }, "a/b"),
		"media type": key(func(d *remote.Deposit) { d.MediaType = "b" }, "a/b"),
		"date":       key(func(d *remote.Deposit) { d.RecordDate = "b" }, "a/b"),
		"attributes": key(func(d *remote.Deposit) { d.Attributes = map[string]string{"x": "1"} }, "a/b"),
		"references": key(func(d *remote.Deposit) { d.LedgerRefs = nil }, "a/b"),
	} {
		if earlier, twice := seen[got]; twice {
			t.Errorf("another %s and another %s give one key", name, earlier)
		}
		seen[got] = name
	}
	unread := func(d *remote.Deposit) { d.Length, d.Content = 5, strings.NewReader("x") }
	if got := key(unread, "a/b"); seen[got] != "" ||
		len(seen) != 10 {
		t.Error("the key follows from more than it should")
	}
	if got := key(func(*remote.Deposit) {}, "a/b"); len(got) > 255 ||
		strings.ContainsFunc(got, func(r rune) bool { return r < '!' || r > '~' }) {
		t.Errorf("%q cannot be a key", got)
	}
	if got := key(func(*remote.Deposit) {}, "a/b"); got != "put-jRzDemixxeTLHsHBKQNKAxK3s7gt9q2Ouqo91odHFTc" {
		t.Errorf("the key of an unchanged file is %s now: repeating an old put would make second documents", got)
	}
}
