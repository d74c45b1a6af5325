package proxytest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muniment/anchor/processtest"
	"muniment/anchor/proxytest"
)

// backend is a server that notes what it was given in full, and what broke off.
type backend struct {
	*httptest.Server

	mu     sync.Mutex
	done   []string // bodies
	host   string   // of the last request
	uri    string
	broken chan int // the bytes that came of a body that broke off
}

const greeting = "hello, whole and in one piece"

func newBackend(t *testing.T) *backend {
	b := &backend{broken: make(chan int, 100)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.broken <- len(body)
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.done = append(b.done, string(body))
		b.host, b.uri = r.Host, r.RequestURI
		_, _ = io.WriteString(w, greeting)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) times() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.done)
}

// put sends a body through the proxy and returns the answer's status and body.
func put(ctx context.Context, t testing.TB, p *proxytest.Proxy, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, p.URL()+"/a%2Fb//c?x=%20&uploads=&a;b",
		strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Host = "bucket.example"
	transport := &http.Transport{}
	if file := p.CAFile(); file != "" {
		transport = processtest.TrustingTransport(t, file)
	}
	transport.DisableKeepAlives = true // so that no request is sent again by itself over another connection
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func TestProxyChangesNothing(t *testing.T) {
	b := newBackend(t)
	p := proxytest.New(t, b.URL)
	body := strings.Repeat("x", 1<<20)
	status, text, err := put(t.Context(), t, p, body)
	if err != nil || status != http.StatusOK || text != greeting {
		t.Fatalf("got %d %q, %v", status, text, err)
	}
	if b.host != "bucket.example" || b.uri != "/a%2Fb//c?x=%20&uploads=&a;b" || b.done[0] != body {
		t.Errorf("the server saw host %q, %q and %d bytes", b.host, b.uri, len(b.done[0]))
	}
	want := proxytest.Request{Method: http.MethodPut, Path: "/a%2Fb//c", Query: "x=%20&uploads=&a;b"}
	if got := p.Requests(); len(got) != 1 || got[0] != want {
		t.Errorf("noted %v, want %v", got, want)
	}
}

// The client and the server see what each kind of fault says.
func TestProxyFaults(t *testing.T) {
	unexpected := func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }
	wasReset := func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
	timedOut := func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
	fine := func(err error) bool { return err == nil }
	retry := http.Header{"Retry-After": {"7"}}
	for name, test := range map[string]struct {
		fault  proxytest.Fault
		err    func(error) bool
		status int
		text   string
		effect int // requests that the server did
		broken int // bytes of a body that broke off at the server; -1: none did
	}{
		"answer": {proxytest.Fault{Kind: proxytest.Answer, Header: retry, Body: "slow down"}, fine, 503,
			"slow down", 0, -1},
		"answer after": {proxytest.Fault{Kind: proxytest.AnswerAfter, Status: 500}, fine, 500, "", 1, -1},
		"hang":         {proxytest.Fault{Kind: proxytest.Hang}, timedOut, 0, "", 0, -1},
		"hang after":   {proxytest.Fault{Kind: proxytest.HangAfter}, timedOut, 0, "", 1, -1},
		"reset":        {proxytest.Fault{Kind: proxytest.Reset}, wasReset, 0, "", 0, -1},
		"reset after":  {proxytest.Fault{Kind: proxytest.ResetAfter}, wasReset, 0, "", 1, -1},
		"cut request":  {proxytest.Fault{Kind: proxytest.CutRequest, Bytes: 3}, wasReset, 0, "", 0, 3},
		"cut answer":   {proxytest.Fault{Kind: proxytest.CutAnswer, Bytes: 5}, unexpected, 200, greeting[:5], 1, -1},
		"stall answer": {proxytest.Fault{Kind: proxytest.StallAnswer, Bytes: 5}, timedOut, 200, greeting[:5], 1, -1},
		"delay":        {proxytest.Fault{Kind: proxytest.Delay, For: time.Millisecond}, fine, 200, greeting, 1, -1},
	} {
		for protocol, start := range map[string]func(testing.TB, string) *proxytest.Proxy{
			"http": proxytest.New, "https": proxytest.NewTLS,
		} {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				b := newBackend(t)
				p := start(t, b.URL)
				injected := p.Inject(test.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if test.err(context.DeadlineExceeded) { // it is known to hang once it has struck
					ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
				}
				defer cancel()
				status, text, err := put(ctx, t, p, "content")
				if !test.err(err) || status != test.status || text != test.text {
					t.Errorf("the client got %d %q, %v", status, text, err)
				}
				if got := b.times(); got != test.effect {
					t.Errorf("the server did it %d times, want %d", got, test.effect)
				}
				if test.broken >= 0 {
					if got := <-b.broken; got != test.broken {
						t.Errorf("the server got %d bytes, want %d", got, test.broken)
					}
				}
				if got := injected.Struck(); got != 1 {
					t.Errorf("struck %d times, want 1", got)
				}
				if status, text, err := put(t.Context(), t, p, "again"); status != 200 || text != greeting ||
					err != nil {
					t.Errorf("the next request, which nothing should strike, got %d %q, %v", status, text, err)
				}
			})
		}
	}
}

// A stalled upload holds both ends until the proxy goes down.
func TestProxyStallsUpload(t *testing.T) {
	b := newBackend(t)
	p := proxytest.New(t, b.URL)
	injected := p.Inject(proxytest.Fault{Kind: proxytest.StallUpload, Bytes: 4})
	result := make(chan error)
	go func() {
		_, _, err := put(t.Context(), t, p, strings.Repeat("x", 1<<24))
		result <- err
	}()
	processtest.Await(t, "the upload stalls", func() bool { return injected.Struck() == 1 })
	select {
	case err := <-result:
		t.Fatalf("the upload ended: %v", err)
	case <-b.broken:
		t.Fatal("the server's connection ended")
	default:
	}
	p.Down()
	if err := <-result; err == nil {
		t.Error("the upload was a success")
	}
	if got := <-b.broken; got != 4 {
		t.Errorf("the server got %d bytes, want 4", got)
	}
}

func TestProxyCountsFaults(t *testing.T) {
	b := newBackend(t)
	p := proxytest.New(t, b.URL)
	first := p.Inject(proxytest.Fault{Match: proxytest.On(http.MethodPut, "uploads="), Skip: 1, Times: 2,
		Status: 500})
	second := p.Inject(proxytest.Fault{Times: -1, Status: 501})
	other := p.Inject(proxytest.Fault{Match: proxytest.On(http.MethodGet, ""), Times: -1, MayMiss: true})
	var got []int
	for range 5 {
		status, _, err := put(t.Context(), t, p, "x")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	second.Remove()
	status, _, err := put(t.Context(), t, p, "x")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, status)
	if want := [6]int{501, 500, 500, 501, 501, 200}; [6]int(got) != want {
		t.Errorf("statuses %v, want %v", got, want)
	}
	if first.Struck() != 2 || second.Struck() != 3 || other.Struck() != 0 {
		t.Errorf("struck %d, %d and %d times, want 2, 3 and 0", first.Struck(), second.Struck(), other.Struck())
	}
}

func TestProxyDownAndUp(t *testing.T) {
	b := newBackend(t)
	p := proxytest.New(t, b.URL)
	for range 3 {
		p.Down()
		if _, _, err := put(t.Context(), t, p, "x"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("down: %v, want a refused connection", err)
		}
		p.Up()
		if status, _, err := put(t.Context(), t, p, "x"); status != 200 || err != nil {
			t.Errorf("up: %d, %v", status, err)
		}
	}
}

// A server that is gone looks as it would without the proxy.
func TestProxyOfNothing(t *testing.T) {
	b := newBackend(t)
	p := proxytest.New(t, b.URL)
	b.Close()
	if status, _, err := put(t.Context(), t, p, "x"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %d, %v, want a reset connection", status, err)
	}
}

// Bytes are passed on as they come: a server that waits for the answer to its first ones gets that.
func TestProxyStreams(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "2")
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		for one := make([]byte, 1); ; {
			n, err := r.Body.Read(one)
			_, _ = w.Write(bytes.ToUpper(one[:n]))
			_ = control.Flush()
			if err != nil {
				return
			}
		}
	}))
	defer server.Close()
	p := proxytest.New(t, server.URL)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
	until(t, conn, "A")
	_, _ = io.WriteString(conn, "b")
	until(t, conn, "B")
}

// until reads up to a text.
func until(t *testing.T, r io.Reader, text string) {
	t.Helper()
	got := ""
	for one := make([]byte, 1); !strings.HasSuffix(got, text); {
		if _, err := r.Read(one); err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got += string(one)
	}
}

// listener is a test that keeps its errors to itself.
type listener struct {
	testing.TB

	errors   int
	cleanups []func()
}

func (l *listener) Errorf(string, ...any) { l.errors++ }
func (l *listener) Cleanup(f func())      { l.cleanups = append(l.cleanups, f) }
func (l *listener) Failed() bool          { return l.errors > 0 }

// A fault that strikes nothing shows nothing, so the test that injected it fails.
func TestProxyTellsOfFaultsThatMiss(t *testing.T) {
	b := newBackend(t)
	for name, test := range map[string]struct {
		fault proxytest.Fault
		want  int
	}{
		"never matched":           {proxytest.Fault{Match: proxytest.On(http.MethodGet, "")}, 1},
		"never matched, and may":  {proxytest.Fault{Match: proxytest.On(http.MethodGet, ""), MayMiss: true}, 0},
		"skipped too many":        {proxytest.Fault{Skip: 1}, 1},
		"cut behind the end":      {proxytest.Fault{Kind: proxytest.CutAnswer, Bytes: 1000}, 1},
		"cut behind the body's":   {proxytest.Fault{Kind: proxytest.CutRequest, Bytes: 1000}, 1},
		"struck, as it should do": {proxytest.Fault{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := &listener{TB: t}
			p := proxytest.New(l, b.URL)
			p.Inject(test.fault)
			if _, _, err := put(t.Context(), t, p, "content"); err != nil {
				t.Errorf("putting: %v", err)
			}
			for i := len(l.cleanups) - 1; i >= 0; i-- {
				l.cleanups[i]()
			}
			if l.errors != test.want {
				t.Errorf("it told of %d faults, want %d", l.errors, test.want)
			}
		})
	}
}

func TestProxyAnswersWithHeaders(t *testing.T) {
	p := proxytest.New(t, newBackend(t).URL)
	p.Inject(proxytest.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"retry-after": {"7"}}})
	resp, err := http.Get(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Retry-After"); resp.StatusCode != http.StatusTooManyRequests || got != "7" {
		t.Errorf("got %d with Retry-After %q", resp.StatusCode, got)
	}
}
