package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/gateway"
	"muniment/vault/access"
	"muniment/vault/budget"
)

// TestUploadsOfOnePrincipal: a principal sends so many bodies at a time; another's go on, and so do reads.
func TestUploadsOfOnePrincipal(t *testing.T) {
	t.Parallel()
	notShort(t, "it waits for clients that are slow")
	r := newRig(t, func(c *gateway.Config) {
		c.Limits.Uploads, c.Limits.MinSpeed = 3, gateway.MinSpeed{Stall: time.Second, Rate: 1}
	})
	other := r.principal(access.Grant{Role: access.Depositor})
	var slow []func() answer
	for _, kind := range []string{"text/plain", "application/pdf", "application/json"} {
		slow = append(slow, r.trickle("/v1/documents", kind, "{"))
	}
	send := func(change ...func(*http.Request)) answer {
		return r.do(http.MethodPost, "/v1/documents", strings.NewReader("x"), change...)
	}
	if a := send(); a.problem() != "too-many-uploads" || a.header.Get("Retry-After") != "5" {
		t.Errorf("one more than it may have: %d %v %s", a.status, a.header, a.body)
	}
	if a := send(with("Authorization", ""), with("Authorization", "Bearer "+other)); a.status != http.StatusCreated {
		t.Errorf("another principal's: %d %s", a.status, a.body)
	}
	if a := r.do(http.MethodGet, "/v1/documents", nil); a.status != http.StatusOK {
		t.Errorf("a list: %d %s", a.status, a.body)
	}
	for _, finish := range slow {
		if a := finish(); a.status != http.StatusCreated {
			t.Errorf("one that was slow: %d %s", a.status, a.body)
		}
	}
	for range 4 { // a place is given back at the end of each body, whatever comes of it
		if a := send(with("Content-Digest", contentDigest([]byte("y")))); a.problem() != "content-mismatch" {
			t.Errorf("a wrong digest: %d %s", a.status, a.body)
		}
	}
	if a := send(); a.status != http.StatusCreated {
		t.Errorf("after the others: %d %s", a.status, a.body)
	}
}

// TestBodiesShareMemory: bodies that are read whole wait for memory, and are refused without; what is short needs none,
// nor does what is not read whole.
func TestBodiesShareMemory(t *testing.T) {
	t.Parallel()
	notShort(t, "it waits for memory that does not come")
	memory := budget.New(64<<20, time.Second, journal.SystemClock{})
	r := newRig(t, func(c *gateway.Config) { c.Memory = memory })
	var held []*budget.Grant
	for _, owner := range []string{"a", "b", "c"} {
		for {
			g, there := memory.Try(owner, budget.Bodies, 512<<10)
			if !there {
				break
			}
			held = append(held, g)
		}
	}
	text := strings.Repeat(" ", 1<<20) + `{"v":1}`
	verify := func(body string) answer {
		return r.do(http.MethodPost, "/v1/verify", strings.NewReader(body), with("Content-Type", "application/json"))
	}
	if a := verify(text); a.problem() != "memory-short" || a.header.Get("Retry-After") == "" {
		t.Errorf("a large file of evidence: %d %v %s", a.status, a.header, a.body)
	}
	if a := verify(`{"v":1}`); a.status != http.StatusOK {
		t.Errorf("a small one: %d %s", a.status, a.body)
	}
	long := `{"content_base64":"` + strings.Repeat("eHh4", 1<<15) + `"}`
	if a := r.inline(long); a.problem() != "memory-short" {
		t.Errorf("a large inline deposit: %d %s", a.status, a.body)
	}
	d := r.deposit([]byte(text))
	if a := r.do(http.MethodGet, "/v1/documents/"+d.ID+"/evidence", nil); a.problem() != "memory-short" {
		t.Errorf("evidence: %d %s", a.status, a.body)
	}
	before := memory.Held(budget.Bodies)
	for _, g := range held {
		g.Free()
	}
	if before == 0 || memory.Held(budget.Bodies) != 0 {
		t.Errorf("%d bytes were held, and %d are", before, memory.Held(budget.Bodies))
	}
	if a := verify(text); a.status != http.StatusOK {
		t.Errorf("a large file with memory: %d %s", a.status, a.body)
	}
	if a := r.inline(long); a.status != http.StatusCreated {
		t.Errorf("a large inline deposit with memory: %d %s", a.status, a.body)
	}
	if n := memory.Held(budget.Bodies); n != 0 {
		t.Errorf("%d bytes are held at the end", n)
	}
}
