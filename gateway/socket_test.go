package gateway_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"muniment/gateway"
	"muniment/openapi"
)

// shortStall makes a gateway that gives a client little time.
func shortStall(c *gateway.Config) {
	c.Limits.MinSpeed = gateway.MinSpeed{Stall: 200 * time.Millisecond, Rate: 1 << 20}
}

// dial opens a raw connection that gives up after a while, so that a gateway that hangs fails the test.
func (r *rig) dial() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// write sends text with its line ends as HTTP wants them; {token} stands for the credential.
func (r *rig) write(conn net.Conn, text string) {
	r.t.Helper()
	text = strings.ReplaceAll(strings.ReplaceAll(text, "{token}", r.token), "\n", "\r\n")
	if _, err := io.WriteString(conn, text); err != nil {
		r.t.Fatal(err)
	}
}

// response reads one answer from a raw connection.
func (r *rig) response(in *bufio.Reader) answer {
	r.t.Helper()
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, body}
}

// documents counts what is kept.
func (r *rig) documents() int {
	r.t.Helper()
	var page openapi.DocumentPage
	r.do(http.MethodGet, "/v1/documents?limit=500", nil).json(r.t, &page)
	return len(page.Documents)
}

// TestExpectContinue shows that a deposit that is refused costs no upload: the answer comes instead of 100 Continue.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.Limits.MaxBody = 1000 })
	r.deposit([]byte("known"), with("Idempotency-Key", "k1"))
	for name, c := range map[string]struct {
		headers string
		want    string
	}{
		"accepted":      {"Authorization: Bearer {token}\nContent-Length: 4\n", "HTTP/1.1 100 Continue\r\n"},
		"no credential": {"Content-Length: 4\n", "HTTP/1.1 401 Unauthorized\r\n"},
		"too large": {"Authorization: Bearer {token}\nContent-Length: 1001\n",
			"HTTP/1.1 413 Request Entity Too Large\r\n"},
		"unknown series": {"Authorization: Bearer {token}\nContent-Length: 4\nMuniment-Series: none\n",
			"HTTP/1.1 422 Unprocessable Entity\r\n"},
		"bad digest": {"Authorization: Bearer {token}\nContent-Length: 4\nContent-Digest: x\n",
			"HTTP/1.1 400 Bad Request\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := r.dial()
			r.write(conn, "POST /v1/documents HTTP/1.1\nHost: x\nExpect: 100-continue\n"+c.headers+"\n")
			in := bufio.NewReader(conn)
			line, err := in.ReadString('\n')
			if err != nil || line != c.want {
				t.Fatalf("%q, %v; want %q", line, err, c.want)
			}
			if name != "accepted" {
				return
			}
			if _, err := in.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			r.write(conn, "body")
			if a := r.response(in); a.status != http.StatusCreated {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// TestBodyLimit sends more than is taken, with and without saying so beforehand.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.Limits.MaxBody = 1000 })
	for size, want := range map[int]int{1000: http.StatusCreated, 1001: http.StatusRequestEntityTooLarge} {
		for name, body := range map[string]io.Reader{
			"announced": bytes.NewReader(make([]byte, size)),
			"unknown":   io.MultiReader(bytes.NewReader(make([]byte, size))),
		} {
			if a := r.do(http.MethodPost, "/v1/documents", body); a.status != want {
				t.Errorf("%d bytes, %s: %d %s", size, name, a.status, a.body)
			}
		}
	}
	if n := r.documents(); n != 2 {
		t.Errorf("%d documents are kept", n)
	}
}

// TestSlowBody trickles a body: the gateway gives up, although no single pause is long.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	r := newRig(t, shortStall)
	conn := r.dial()
	r.write(conn, "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\nContent-Length: 1000000\n\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := conn.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	in := bufio.NewReader(conn)
	if a := r.response(in); a.problem() != "too-slow" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Error("the connection goes on")
	}
	_ = conn.Close()
	<-done
	if n := r.documents(); n != 0 {
		t.Errorf("%d documents are kept", n)
	}
}

// TestRefusedBodyIsNotAwaited refuses a deposit whose body never comes.
func TestRefusedBodyIsNotAwaited(t *testing.T) {
	t.Parallel()
	r := newRig(t, shortStall)
	conn := r.dial()
	r.write(conn, "POST /v1/documents HTTP/1.1\nHost: x\nContent-Length: 100000\n\nthe beginning")
	in := bufio.NewReader(conn)
	if a := r.response(in); a.problem() != "unauthenticated" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection goes on: %v", err)
	}
}

// deadlines is a response writer that notes read deadlines.
type deadlines struct {
	http.ResponseWriter
	read []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.read = append(d.read, at)
	return nil
}

// TestDeadlineEndsWithTheBody shows that there is a deadline while a body is read and none afterwards: it would strike
// while the deposit is released, and cancel that.
func TestDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	d := new(deadlines)
	pace := gateway.MinSpeed{Stall: time.Minute, Rate: 1}
	if _, err := io.ReadAll(gateway.NewBody(d, strings.NewReader("x"), 10, pace)); err != nil {
		t.Fatal(err)
	}
	if len(d.read) < 2 || d.read[0].IsZero() || !d.read[len(d.read)-1].IsZero() {
		t.Errorf("the deadlines are %v", d.read)
	}
}

// TestSlowServer shows that the time a deposit takes after its last byte is not the client's: its deadline must not
// strike.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	notShort(t, "it waits for a slow key service")
	r := newRig(t, shortStall)
	r.keys.delay(500 * time.Millisecond)
	for name, body := range map[string]io.Reader{
		"announced": bytes.NewReader(make([]byte, 100)),
		"unknown":   io.MultiReader(bytes.NewReader(make([]byte, 100))),
	} {
		if a := r.do(http.MethodPost, "/v1/documents", body); a.status != http.StatusCreated {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestStalledReader asks for much and takes nothing: the connection is cut, and the read's outcome goes on record.
func TestStalledReader(t *testing.T) {
	t.Parallel()
	notShort(t, "it fills socket buffers")
	r := newRig(t, shortStall)
	d := r.deposit(noise(32 << 20))
	conn := r.dial()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	r.write(conn, "GET /v1/documents/"+d.ID+"/content?purpose=audit HTTP/1.1\nHost: x\nAuthorization: Bearer "+
		"{token}\n\n")
	served := func() bool { return strings.Contains(r.log.String(), `/v1/documents/:id/content`) }
	for deadline := time.Now().Add(20 * time.Second); !served(); {
		if time.Now().After(deadline) {
			t.Fatal("the gateway waits for ever")
		}
		<-time.After(10 * time.Millisecond)
	}
	if strings.Contains(r.log.String(), `"route":"/v1/documents/:id/content","status":200,"bytes":33554432`) {
		t.Error("everything was sent")
	}
}

// TestSlowHeader sends half a header and waits.
func TestSlowHeader(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if r.http.ReadHeaderTimeout <= 0 || r.http.IdleTimeout <= 0 || r.http.MaxHeaderBytes <= 0 {
		t.Error("the server has no timeouts")
	}
	if err := r.http.Close(); err != nil {
		t.Fatal(err)
	}
	r.listen(func(s *http.Server) { s.ReadHeaderTimeout = 100 * time.Millisecond })
	conn := r.dial()
	r.write(conn, "GET /v1/version HTTP/1.1\nHost: x\nX-Slow: ")
	if got, err := io.ReadAll(conn); err != nil || bytes.Contains(got, []byte("200 OK")) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSmuggling sends requests whose length can be read in two ways. None may be taken for two.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	notShort(t, "it waits for answers that must not come")
	r := newRig(t)
	const hidden = "GET /smuggled HTTP/1.1\nHost: x\n\n"
	post := "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\n"
	for name, request := range map[string]string{
		"two lengths":          post + "Content-Length: 4\nContent-Length: 38\n\nbody" + hidden,
		"length and chunks":    post + "Content-Length: 4\nTransfer-Encoding: chunked\n\n23\n" + hidden + "\n0\n\n",
		"length, empty chunks": post + "Content-Length: 4\nTransfer-Encoding: chunked\n\n0\n\n" + hidden,
		"chunks obfuscated":    post + "Content-Length: 4\nTransfer-Encoding: xchunked\n\nbody" + hidden,
		"chunks twice":         post + "Transfer-Encoding: chunked\nTransfer-Encoding: identity\n\n0\n\n" + hidden,
		"space before colon":   post + "Content-Length : 4\n\nbody" + hidden,
		"plus sign":            post + "Content-Length: +4\n\nbody" + hidden,
		"list of lengths":      post + "Content-Length: 4, 4\n\nbody" + hidden,
		"bare CR in a header":  post + "X: a\rContent-Length: 4\n\nbody" + hidden,
	} {
		t.Run(name, func(t *testing.T) {
			conn := r.dial()
			r.write(conn, request)
			in := bufio.NewReader(conn)
			first := r.response(in)
			chunked := strings.HasPrefix(name, "length")
			if first.status == http.StatusCreated && !chunked {
				t.Errorf("it was taken: %d", first.status)
			}
			if err := conn.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			more, err := io.ReadAll(in)
			if len(more) > 0 || strings.Contains(r.log.String(), `"route":"none"`) {
				t.Errorf("the hidden request was served: %s", more)
			}
			if chunked && err != nil {
				t.Errorf("the connection goes on behind a body in chunks: %v", err)
			}
		})
	}
	if n := r.documents(); n != 2 {
		t.Errorf("%d documents are kept; only that which holds the hidden request in a chunk may be, and the empty one",
			n)
	}
}

// TestClientDropsAtAnyByte cuts a deposit after every byte of its request but the last.
func TestClientDropsAtAnyByte(t *testing.T) {
	t.Parallel()
	notShort(t, "it opens a connection for every byte of a request")
	r := newRig(t)
	content := strings.Repeat("x", 40)
	for name, request := range map[string]string{
		"announced": "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\nContent-Length: 40\n\n" +
			content,
		"chunked": "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\nTransfer-Encoding: " +
			"chunked\n\n28\n" + content + "\n0\n\n",
	} {
		whole := strings.ReplaceAll(strings.ReplaceAll(request, "{token}", r.token), "\n", "\r\n")
		for cut := range len(whole) {
			conn := r.dial()
			if _, err := io.WriteString(conn, whole[:cut]); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil || bytes.Contains(got, []byte(" 201 ")) {
				t.Fatalf("%s, cut at %d: %q, %v", name, cut, got, err)
			}
			_ = conn.Close()
		}
	}
	if n := r.documents(); n != 0 {
		t.Errorf("%d documents are kept", n)
	}
	r.deposit([]byte(content))
}

// TestShutdownEndsWaiting shows that a feed that is held open does not hold up a shutdown.
func TestShutdownEndsWaiting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	next := r.last()
	result := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		conn := r.dial()
		r.write(conn, fmt.Sprintf("GET /v1/journal/entries?wait=60&after=%d HTTP/1.1\nHost: x\nAuthorization: "+
			"Bearer {token}\n\n", next))
		close(started)
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && a.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", a.StatusCode)
		}
		result <- err
	}()
	<-started
	r.awaitInFlight()
	if err := r.http.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}
