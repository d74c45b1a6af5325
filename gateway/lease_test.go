package gateway_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"muniment/anchor/journal/journaltest"
)

// TestWithoutALease: while the release bucket is away, no content leaves once the term is over, be it small or large,
// whole or in part; what needs no lease is served on. With the bucket content comes back.
func TestWithoutALease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	small, large := r.deposit([]byte("content")), r.deposit(bytes.Repeat([]byte("large "), 500_000))
	r.released()
	read := func(id, span string) answer {
		change := []func(*http.Request){with("Muniment-Purpose", "test")}
		if span != "" {
			change = append(change, with("Range", span))
		}
		return r.do(http.MethodGet, "/v1/documents/"+id+"/content", nil, change...)
	}
	if a := read(small.ID, ""); a.status != http.StatusOK {
		t.Fatalf("with a lease: %d %s", a.status, a.body)
	}
	r.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	over := func(a answer) bool { return a.problem() == "lease-over" }
	for deadline := time.Now().Add(10 * time.Second); !over(read(small.ID, "")); {
		if time.Now().After(deadline) {
			t.Fatal("content is served without a lease")
		}
	}
	for _, id := range []string{small.ID, large.ID} {
		for _, span := range []string{"", "bytes=1-2"} {
			a := read(id, span)
			if !over(a) || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
				t.Errorf("reading %q of %s without a lease: %d, Retry-After %q, %.200s", span, id, a.status,
					a.header.Get("Retry-After"), a.body)
			}
		}
	}
	for _, path := range []string{"", "/evidence", "/history"} {
		if a := r.do(http.MethodGet, "/v1/documents/"+small.ID+path, nil); a.status != http.StatusOK {
			t.Errorf("%s without a lease: %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/v1/documents", "/v1/journal/checkpoint", "/v1/journal/tile/0/000.p/1"} {
		if a := r.do(http.MethodGet, path, nil); a.status != http.StatusOK {
			t.Errorf("%s without a lease: %d %s", path, a.status, a.body)
		}
	}
	r.bucket.Inject(nil)
	for deadline := time.Now().Add(10 * time.Second); ; {
		a := read(large.ID, "")
		if a.status == http.StatusOK {
			break
		}
		if !over(a) || time.Now().After(deadline) {
			t.Fatalf("with the bucket again: %d %s", a.status, a.body)
		}
	}
}
