package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"muniment/openapi"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// TestHead asks for the headers of a read: they are the read's own, nothing is read, and a description is on record.
func TestHead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.deposit([]byte("0123456789"), with("Content-Type", "text/plain"), with("Muniment-File-Name", "a.txt"))
	path := "/v1/documents/" + d.ID + "/content"
	head, get := r.do(http.MethodHead, path, nil, with("Range", "bytes=0-1")),
		r.do(http.MethodGet, path+"?purpose=audit", nil)
	if head.status != http.StatusOK || len(head.body) != 0 {
		t.Fatalf("%d %s", head.status, head.body)
	}
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Disposition", "Etag", "Accept-Ranges",
		"Cache-Control"} {
		if got, want := head.header.Get(name), get.header.Get(name); got != want || got == "" {
			t.Errorf("%s is %q, and %q of the read", name, got, want)
		}
	}
	var story openapi.History
	r.do(http.MethodGet, "/v1/documents/"+d.ID+"/history", nil).json(t, &story)
	var events []string
	for _, e := range slices.Backward(story.Entries) {
		events = append(events, e.Type)
	}
	if got := strings.Join(events, " "); got != "document.deposited/1 document.described/1 document.read/1" {
		t.Errorf("on record: %s", got)
	}
	depositor := r.principal(access.Grant{Role: access.Depositor})
	for name, c := range map[string]struct {
		path, token string
		want        int
	}{
		"not permitted": {path, depositor, 403},
		"unknown":       {"/v1/documents/0190b5a0-7c1e-7000-8000-000000000001/content", r.token, 404},
		"malformed":     {"/v1/documents/42/content", r.token, 400},
	} {
		a := r.do(http.MethodHead, c.path, nil, with("Authorization", ""), with("Authorization", "Bearer "+c.token))
		if a.status != c.want {
			t.Errorf("%s: %d, want %d", name, a.status, c.want)
		}
	}
	r.keys.fail(keys.ErrUnavailable)
	if a := r.do(http.MethodHead, path, nil); a.status != http.StatusServiceUnavailable ||
		a.header.Get("Retry-After") == "" {
		t.Errorf("without the key service: %d", a.status)
	}
}
