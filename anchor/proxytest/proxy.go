// Package proxytest stands a proxy between a client and an HTTP server that fails as a test tells it: before the server
// has got a request, after it has done what was asked, or in the midst of a body. It knows nothing of what is tested.
package proxytest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/anchor/processtest"
)

// Proxy is an HTTP server in front of another that passes requests and answers on as they come, unbuffered and
// unchanged, the Host included since signatures of S3 cover it, and fails as told by Inject.
type Proxy struct {
	Address string // "127.0.0.1:49154", plain HTTP or TLS as New and NewTLS say

	t         testing.TB
	passOn    *httputil.ReverseProxy
	transport *http.Transport
	cert      *processtest.Certificate
	protocols http.Protocols

	mu       sync.Mutex
	faults   []*Injected
	requests []Request
	down     func() // nil while it is down
}

// Request is what a proxy saw of a request.
type Request struct {
	Method string
	Path   string // as the client escaped it
	Query  string
	Fault  string // the kind of the fault that it was to suffer; "" for none
}

// New starts one in front of a server that speaks plain HTTP at an address of the form "127.0.0.1:49152" or
// "http://127.0.0.1:49152". It ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	return newProxy(t, target, nil)
}

// NewTLS starts one that speaks TLS with its clients, with a certificate of its own, and plain HTTP with the server.
// Some clients act otherwise over TLS: minio-go, for example, leaves the body unsigned.
func NewTLS(t testing.TB, target string) *Proxy {
	t.Helper()
	return newProxy(t, target, processtest.NewCertificate(t))
}

func newProxy(t testing.TB, target string, cert *processtest.Certificate) *Proxy {
	t.Helper()
	host := strings.TrimPrefix(target, "http://")
	if strings.Contains(host, "/") {
		t.Fatalf("proxy: the target must be host:port or http://host:port, not %q", target)
	}
	p := &Proxy{
		Address: processtest.Reserve(t), t: t, cert: cert,
		transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
	}
	p.protocols.SetHTTP1(true) // a connection of HTTP/2 cannot be taken over, and so not be reset
	p.passOn = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", host // and not the Host header
			r.Out.URL.RawQuery = r.In.URL.RawQuery          // what does not parse was left out
		},
		Transport:     p.transport,
		FlushInterval: -1, // every write goes out at once
		ErrorLog:      log.New(io.Discard, "", 0),
		// A server that is down or goes away looks to the client as it would without the proxy.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			if lost, ok := w.(*lost); ok {
				lost.failed = true
				return
			}
			reset(w)
		},
	}
	t.Cleanup(p.end)
	p.Up()
	return p
}

// CAFile is the file of the PEM of the CA that the certificate of NewTLS is of; "" otherwise.
func (p *Proxy) CAFile() string { return p.cert.CAFile() }

// URL is the address with its scheme.
func (p *Proxy) URL() string { return p.cert.Scheme() + "://" + p.Address }

// Inject has something go wrong.
func (p *Proxy) Inject(fault Fault) *Injected {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := &Injected{fault: fault, proxy: p}
	p.faults = append(p.faults, i)
	return i
}

// Requests are all that came, in order.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

// Down ends every connection, with it what hangs, and refuses new ones until Up.
func (p *Proxy) Down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		p.down()
		p.down = nil
	}
}

// Up takes connections again, at the same address.
func (p *Proxy) Up() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", p.Address)
	if err != nil {
		cancel()
		p.t.Fatalf("proxy: %v", err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx }, Protocols: &p.protocols,
	}
	served := make(chan error, 1)
	go func() {
		if p.cert != nil {
			served <- server.ServeTLS(listener, p.cert.Cert, p.cert.Key)
		} else {
			served <- server.Serve(listener)
		}
	}()
	p.down = func() {
		cancel()
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			p.t.Errorf("proxy: %v", err)
		}
	}
}

// end stops the proxy, and fails the test for each fault that never struck.
func (p *Proxy) end() {
	p.Down()
	p.transport.CloseIdleConnections()
	if p.t.Skipped() || p.t.Failed() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.faults {
		if i.Struck() == 0 && !i.fault.MayMiss {
			p.t.Errorf("proxy: an injected %v struck no request, so the test shows nothing about it", i.fault.Kind)
		}
	}
}

// serve passes a request on, or does to it what the fault says that it is to suffer.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	// Otherwise an answer would wait for the end of the request's body. HTTP/1 can always do it.
	_ = http.NewResponseController(w).EnableFullDuplex()
	if i := p.fault(r); i != nil {
		p.suffer(i, w, r)
		return
	}
	p.passOn.ServeHTTP(w, r)
}

// fault notes a request and returns the fault that it is to suffer; nil for none.
func (p *Proxy) fault(r *http.Request) *Injected {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery}
	for _, i := range p.faults {
		if i.takes(r) {
			seen.Fault = i.fault.Kind.String()
			p.requests = append(p.requests, seen)
			return i
		}
	}
	p.requests = append(p.requests, seen)
	return nil
}
