package gateway_test

import (
	"bufio"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/anchor/evidence"
	"muniment/gateway"
	"muniment/vault/access"
)

// handClock is moved by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// TestTooManyRequests: a principal that sends too many is refused, and no other.
func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	clock := &handClock{now: time.Now()}
	r := newRig(t, func(c *gateway.Config) { c.Limits.Requests, c.Clock = 2, clock })
	other := r.principal(access.Grant{Role: access.Depositor})
	ask := func(change ...func(*http.Request)) answer {
		return r.do(http.MethodGet, "/v1/anchors", nil, change...)
	}
	for i := range 10 {
		if a := ask(); a.status != http.StatusOK {
			t.Fatalf("request %d of the burst: %d %s", i, a.status, a.body)
		}
	}
	before := r.journal.Size()
	for range 20 { // who goes on trying waits no longer for it
		a := ask()
		if a.status != http.StatusTooManyRequests || a.problem() != "too-many-requests" ||
			a.header.Get("Retry-After") != "1" {
			t.Fatalf("beyond the burst: %d %v %s", a.status, a.header, a.body)
		}
	}
	if now := r.journal.Size(); now != before {
		t.Errorf("refused requests put %d events on record", now-before)
	}
	if a := ask(with("Authorization", ""), with("Authorization", "Bearer "+other)); a.problem() != "denied" {
		t.Errorf("another principal: %d %s", a.status, a.body)
	}
	clock.advance(time.Second)
	for i, want := range []int{200, 200, 429} {
		if a := ask(); a.status != want {
			t.Errorf("request %d a second later: %d %s", i, a.status, a.body)
		}
	}
}

// trickle sends a JSON object that begins like this so slowly that it takes as long as the test wants. The gateway
// reads it when trickle returns; finish ends it, and gives the answer.
func (r *rig) trickle(path, kind, begin string) (finish func() answer) {
	const length = 10_000
	conn := r.dial()
	r.write(conn, fmt.Sprintf("POST %s HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\nContent-Type: %s\n"+
		"Expect: 100-continue\nContent-Length: %d\n\n", path, kind, length))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		r.t.Fatalf("the body is not asked for: %q, %v", line, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		r.t.Fatal(err)
	}
	begin += strings.Repeat(" ", 5000)
	r.write(conn, begin)
	end, ended := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		sent := len(begin)
		for {
			select {
			case <-tick.C:
				if _, err := conn.Write([]byte(" ")); err == nil {
					sent++
				}
			case <-end:
				ended <- sent
				return
			}
		}
	}()
	return func() answer {
		close(end)
		r.write(conn, strings.Repeat(" ", length-1-<-ended)+"}")
		return r.response(in)
	}
}

// TestVerifyingTakesTurns: a principal has two bodies of evidence in memory at most, and waits for no longer than it
// may stall.
func TestVerifyingTakesTurns(t *testing.T) {
	t.Parallel()
	notShort(t, "it waits for a client that is slow")
	r := newRig(t, func(c *gateway.Config) { c.Limits.MinSpeed = gateway.MinSpeed{Stall: 2 * time.Second, Rate: 1} })
	auditor := r.principal(access.Grant{Role: access.Auditor})
	verify := func(change ...func(*http.Request)) answer {
		return r.do(http.MethodPost, "/v1/verify", strings.NewReader(`{"v":1}`),
			append(change, with("Content-Type", "application/json"))...)
	}
	slow := func() func() answer { return r.trickle("/v1/verify", "application/json", `{"v":1`) }
	one, two := slow(), slow()
	if a := verify(with("Authorization", ""), with("Authorization", "Bearer "+auditor)); a.status != http.StatusOK {
		t.Errorf("another principal's: %d %s", a.status, a.body)
	}
	if a := verify(); a.problem() != "timed-out" {
		t.Errorf("a third body at a time: %d %s", a.status, a.body)
	}
	for _, finish := range []func() answer{one, two} {
		if a := finish(); a.status != http.StatusOK {
			t.Errorf("one that was slow: %d %s", a.status, a.body)
		}
	}
	if a := verify(); a.status != http.StatusOK {
		t.Errorf("after the others: %d %s", a.status, a.body)
	}
}

// TestVerifyingIsBounded: what is large is counted before it is built, and what is too large is not read.
func TestVerifyingIsBounded(t *testing.T) {
	notShort(t, "it sends a quarter of a million objects")
	r := newRig(t)
	post := func(body string) answer {
		return r.do(http.MethodPost, "/v1/verify", strings.NewReader(body), with("Content-Type", "application/json"))
	}
	var text strings.Builder
	text.WriteString(`{"v":1`)
	for i := range 1 << 18 {
		fmt.Fprintf(&text, `,"%x":{}`, i)
	}
	many := text.String() + "}"
	var report evidence.Report
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	post(many).json(t, &report)
	runtime.ReadMemStats(&after)
	if report.Verdict != evidence.DoesNotMatch || !strings.Contains(report.Steps[0].Why, "too many values") {
		t.Errorf("many objects: %+v", report)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 10*uint64(len(many)) {
		t.Errorf("many objects took %d MB, and are %d MB long", took>>20, len(many)>>20)
	}
	for name, c := range map[string]struct{ body, code string }{
		"a large array":   {"[" + strings.Repeat("0,", 4000) + "0]", "bad-request"},
		"large rubbish":   {strings.Repeat("{", 8000), "bad-request"},
		"nothing":         {"", "bad-request"},
		"space":           {" ", "bad-request"},
		"more than 4 MiB": {`{"v":1` + strings.Repeat(" ", 4<<20) + "}", "too-large"},
	} {
		if a := post(c.body); a.problem() != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestTrailersAreRefused: a digest after the body is not checked, so it is not taken either, announced or not.
func TestTrailersAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const wrong = "Content-Digest: sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:\n"
	for name, header := range map[string]string{"announced": "Trailer: Content-Digest\n", "not announced": ""} {
		conn := r.dial()
		r.write(conn, "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\n"+header+
			"Transfer-Encoding: chunked\n\n1\nx\n0\n"+wrong+"\n")
		if a := r.response(bufio.NewReader(conn)); a.problem() != "bad-digest" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if n := r.documents(); n != 0 {
		t.Errorf("%d documents are kept", n)
	}
}
