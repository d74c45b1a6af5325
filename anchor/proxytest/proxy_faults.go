package proxytest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// suffer does to a request what a fault says.
func (p *Proxy) suffer(i *Injected, w http.ResponseWriter, r *http.Request) {
	fault := i.fault
	switch fault.Kind {
	case Answer, Hang:
		// The body is read, so that the client gets to waiting for the answer instead of to an error of writing.
		_, _ = io.Copy(io.Discard, r.Body) // one that breaks off ends the request as well
	case AnswerAfter, HangAfter, ResetAfter:
		if !p.passOnUnheard(r) {
			reset(w) // the server is down, so nothing took effect
			return
		}
	}
	switch fault.Kind {
	case Answer, AnswerAfter:
		i.strikes()
		answer(fault, w)
	case Hang, HangAfter:
		i.strikes()
		<-r.Context().Done() // the client is gone, or the proxy down
		reset(w)
	case Reset, ResetAfter:
		i.strikes()
		reset(w)
	case CutRequest, StallUpload:
		// While an upload stalls nothing is read from the client, so its connection fills up, and its going away does
		// not show: the server's patience ends it, or Down.
		r.Body = &cutBody{ReadCloser: r.Body, request: r, injected: i, left: fault.Bytes}
		p.passOn.ServeHTTP(w, r)
	case CutAnswer, StallAnswer:
		p.passOn.ServeHTTP(&cutAnswer{ResponseWriter: w, request: r, injected: i, left: fault.Bytes}, r)
	case Delay:
		i.strikes()
		timer := time.NewTimer(fault.For)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
		p.passOn.ServeHTTP(w, r)
	}
}

// passOnUnheard passes a request on and drops the answer. It tells whether there was one.
func (p *Proxy) passOnUnheard(r *http.Request) bool {
	w := &lost{header: http.Header{}}
	p.passOn.ServeHTTP(w, r)
	return !w.failed
}

func answer(fault Fault, w http.ResponseWriter) {
	for name, values := range fault.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	status := fault.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, fault.Body) // the client may be gone
}

// reset ends the client's connection by RST, so that the client learns of it as from a server that crashed.
func reset(w http.ResponseWriter) {
	if cut, ok := w.(*cutAnswer); ok {
		w = cut.ResponseWriter
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the connection has ended already
	}
	defer conn.Close()
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it fails when the connection has ended already
		tcp.Close()
	}
}

// lost is an answer that reaches nobody.
type lost struct {
	header http.Header
	failed bool // there was none
}

func (l *lost) Header() http.Header         { return l.header }
func (l *lost) Write(b []byte) (int, error) { return len(b), nil }
func (l *lost) WriteHeader(int)             {}

// errCut ends a request's body that is cut.
var errCut = errors.New("the injected fault cuts the body here")

// cutBody is a request's body that breaks off or stalls.
type cutBody struct {
	io.ReadCloser

	request  *http.Request
	injected *Injected
	left     int64
}

func (b *cutBody) Read(into []byte) (int, error) {
	if b.left <= 0 {
		b.injected.strikes()
		if b.injected.fault.Kind == StallUpload {
			<-b.request.Context().Done()
		}
		return 0, errCut
	}
	n, err := b.ReadCloser.Read(into[:min(int64(len(into)), b.left)])
	b.left -= int64(n)
	return n, err
}

// cutAnswer is an answer whose body breaks off or stalls.
type cutAnswer struct {
	http.ResponseWriter

	request  *http.Request
	injected *Injected
	left     int64
}

// Unwrap lets the reverse proxy flush.
func (c *cutAnswer) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *cutAnswer) Write(b []byte) (int, error) {
	part := b[:min(int64(len(b)), c.left)]
	n, err := c.ResponseWriter.Write(part)
	c.left -= int64(n)
	if err != nil || len(part) == len(b) {
		return n, err
	}
	_ = http.NewResponseController(c.ResponseWriter).Flush() // what comes before the cut reaches the client
	c.injected.strikes()
	if c.injected.fault.Kind == StallAnswer {
		<-c.request.Context().Done()
	}
	panic(http.ErrAbortHandler)
}
