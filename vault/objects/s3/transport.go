package s3

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"muniment/anchor/bounded"
)

const (
	// idleConnections is how many connections are kept open to the endpoint. net/http's default of two a host makes a
	// busy client dial for most requests.
	idleConnections = 128
	// writeBuffer holds the head and the body of a usual document's PUT, so that both leave in one write.
	writeBuffer = 128 << 10
	readBuffer  = 64 << 10
)

// newTransport makes the connections. HTTP/2 is left out: it would put all uploads into one connection and its window.
func newTransport(cfg Config) (*http.Transport, error) {
	roots := cfg.RootCAs
	if cfg.CAFile != "" {
		pem, err := bounded.ReadFile(cfg.CAFile, bounded.Small)
		if err != nil {
			return nil, setup("the CA file", "give the path of a PEM file that can be read", err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(pem) {
			return nil, setup("the CA file", "put at least one PEM certificate into it", nil)
		}
	}
	dialer := &net.Dialer{Timeout: min(cfg.Timeout, 10*time.Second), KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout: min(cfg.Timeout, 10*time.Second),
		MaxIdleConns:        idleConnections,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // what comes back must be the bytes that were put
		WriteBufferSize:     writeBuffer,
		ReadBufferSize:      readBuffer,
	}, nil
}

// attempt is one request and, where there is one, the body of its answer. It ends when nothing moves for
// Config.Timeout.
type attempt struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
	kept   bool // the answer's body is still to be read

	answer     *bytes.Buffer // if not nil, gets what the body of the answer holds
	status     int
	retryAfter time.Duration // what the store asked for; 0: nothing
	date       time.Time     // the store's clock, to the second; zero if it told none
}

var errTimeout = errors.New("the store did not answer in time")

// begin starts the clock of a request.
func (s *Store) begin(ctx context.Context) *attempt {
	a := &attempt{limit: s.cfg.Timeout}
	a.ctx, a.cancel = context.WithCancelCause(context.WithValue(ctx, attemptKey{}, a))
	a.timer = time.AfterFunc(a.limit, func() { a.cancel(errTimeout) })
	return a
}

// moved says that bytes have gone either way.
func (a *attempt) moved() { a.timer.Reset(a.limit) }

// end releases what the request holds.
func (a *attempt) end() {
	a.timer.Stop()
	a.cancel(context.Canceled)
}

// cause makes the error of a request that ran out of time one that says so.
func (a *attempt) cause(err error) error {
	if err != nil && errors.Is(context.Cause(a.ctx), errTimeout) {
		return errTimeout
	}
	return err
}

type attemptKey struct{}

// observer notes what minio-go does not hand on: when the store wants to be asked again, and what time it has.
type observer struct{ next *http.Transport }

// maxAnswer is more than any answer has that is not an object's bytes, in bytes: a page of a list has 1,000 keys.
const maxAnswer = 16 << 20

// RoundTrip makes a request. An answer that minio-go reads whole has a bound: all but the bytes of an object.
func (o observer) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(r)
	if err == nil && !isContent(r, resp) {
		resp.Body = bounded.Body(resp.Body, maxAnswer)
	}
	a, ok := r.Context().Value(attemptKey{}).(*attempt)
	if !ok || err != nil {
		return resp, err
	}
	a.moved()
	a.status = resp.StatusCode
	if a.answer != nil {
		resp.Body = tee{io.TeeReader(resp.Body, a.answer), resp.Body}
	}
	a.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"))
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.date = date
	}
	return resp, nil
}

// isContent says whether an answer holds the bytes of an object.
func isContent(r *http.Request, resp *http.Response) bool {
	query := r.URL.Query()
	query.Del("versionId")
	return r.Method == http.MethodGet && len(query) == 0 && resp.StatusCode/100 == 2
}

// tee is a body that is copied as it is read.
type tee struct {
	io.Reader
	io.Closer
}

// parseRetryAfter reads the seconds of a Retry-After header (RFC 9110, section 10.2.3). Dates, which stores do not
// send, are passed over.
func parseRetryAfter(value string) time.Duration {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
