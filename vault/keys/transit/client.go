package transit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"muniment/anchor/bounded"
	"muniment/vault/keys"
)

// client speaks to one Vault. Logging in goes through Vault's own client. Requests with secrets do not: that client
// decodes answers into strings, which cannot be overwritten, repeats the request's content in its errors, and after a
// redirect sends a body that was given as bytes as "null".
type client struct {
	cfg   Config
	base  *url.URL
	http  *http.Client
	api   *api.Client
	login *login

	random sync.Mutex  // held while cfg.Rand is read
	down   atomic.Bool // the last call failed on its way: the next is tried once
	ctx    context.Context
	cancel context.CancelFunc
}

func newClient(cfg Config) (*client, error) {
	base, err := url.Parse(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: the address is no URL", ErrConfig)
	}
	transport, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	c := &client{cfg: cfg, base: base, http: &http.Client{
		Transport:     bounded.Transport{Next: transport, Most: bounded.Large},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	config := &api.Config{Address: cfg.Address, HttpClient: c.http, Timeout: cfg.RequestTimeout, MaxRetries: 0}
	if c.api, err = api.NewClient(config); err != nil {
		return nil, fmt.Errorf("%w: Vault's client refuses it "+
			"(does a VAULT_ variable of the environment name a file that is not there?)", ErrConfig)
	}
	// It has read the environment, which is not where our configuration is.
	c.api.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	c.api.ClearToken()
	if cfg.Namespace != "" {
		c.api.SetNamespace(cfg.Namespace)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.login = newLogin(c)
	return c, nil
}

func newTransport(cfg Config) (*http.Transport, error) {
	pool, err := roots(cfg.CA)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: cfg.RequestTimeout / 2, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: cfg.ServerName},
		TLSHandshakeTimeout:   cfg.RequestTimeout / 2,
		ResponseHeaderTimeout: cfg.RequestTimeout,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
	}, nil
}

func roots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := bounded.ReadFile(path, bounded.Small)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the certificates of the authorities: %w", ErrConfig, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: %s has no certificate in PEM in it", ErrConfig, path)
	}
	return pool, nil
}

func (c *client) close() {
	c.cancel()
	c.login.end()
	c.http.CloseIdleConnections()
}

// request is one call of Vault's API.
type request struct {
	method string
	path   string // below /v1/
	body   *body  // nil for none
	once   bool   // it must not be sent twice, whatever becomes of it
}

// answer is what Vault answered. Its body is overwritten by wipe.
type answer struct {
	status int
	body   []byte
}

func (a *answer) wipe() { clear(a.body) }

// call does a request: with our token, a new one if Vault says that it is no good any more, and again for a while if it
// fails on its way. The answers returned are those of status 200, 204, 400, 403, 404 and 500, the last when it speaks
// of the request.
func (c *client) call(ctx context.Context, req request) (*answer, error) {
	token, err := c.login.token(ctx)
	if err != nil {
		return nil, err
	}
	ans, err := c.try(ctx, req, token)
	if err == nil && ans.status == http.StatusForbidden && refused(ans) {
		if token, err = c.login.replace(ctx, token); err != nil {
			return nil, err
		}
		ans, err = c.try(ctx, req, token)
	}
	return ans, err
}

// try sends the request until it is answered, for at most the retry time.
func (c *client) try(ctx context.Context, req request, token string) (*answer, error) {
	end := c.cfg.Clock.Now().Add(c.cfg.RetryTime)
	for attempt := 0; ; attempt++ {
		ans, err := c.send(ctx, req, token)
		if err == nil {
			c.down.Store(false)
			return ans, nil
		}
		wait, again := c.pause(err, attempt)
		if req.once || !again || c.down.Load() || ctx.Err() != nil || c.cfg.Clock.Now().Add(wait).After(end) {
			c.down.Store(ctx.Err() == nil)
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

// send sends the request once, and a second time to where a standby says that the active server is.
func (c *client) send(ctx context.Context, req request, token string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	u := c.base.JoinPath("v1", req.path)
	for range 2 {
		resp, err := c.roundTrip(ctx, req, u, token)
		if err != nil {
			return nil, c.lost(req, err)
		}
		to, redirected := redirect(resp)
		if !redirected {
			return c.read(req, resp)
		}
		_ = resp.Body.Close()
		if to == nil || u.Scheme == "https" && to.Scheme != "https" {
			break
		}
		u = to
	}
	return nil, c.failure(req, keys.ErrUnavailable,
		"its answer leads to another address, which does not answer either; "+
			"see api_addr in the servers' configuration")
}

func redirect(resp *http.Response) (to *url.URL, redirected bool) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		to, err := resp.Location()
		if err != nil {
			return nil, true
		}
		return to, true
	default:
		return nil, false
	}
}

func (c *client) roundTrip(ctx context.Context, req request, u *url.URL, token string) (*http.Response, error) {
	var content io.Reader
	if req.body != nil {
		content = req.body.reader()
	}
	r, err := http.NewRequestWithContext(ctx, req.method, u.String(), content)
	if err != nil {
		return nil, err
	}
	if req.body != nil {
		r.ContentLength = req.body.size()
		r.GetBody = func() (io.ReadCloser, error) { return req.body.reader(), nil }
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set(api.RequestHeaderName, "true")
	r.Header.Set(api.AuthHeaderName, token)
	if c.cfg.Namespace != "" {
		r.Header.Set(api.NamespaceHeaderName, c.cfg.Namespace)
	}
	return c.http.Do(r)
}

// host is how errors name the Vault.
func (c *client) host() string { return c.base.Scheme + "://" + c.base.Host }

// key is the path of one of Transit's operations.
func (c *client) key(operation, name string, more ...string) string {
	return strings.Join(append([]string{c.cfg.Mount, operation, name}, more...), "/")
}
