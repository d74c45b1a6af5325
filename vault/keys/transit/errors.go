package transit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"muniment/vault/keys"
)

// failure is an error about a request. The text is ours: what Vault or a proxy says may repeat what was sent.
func (c *client) failure(req request, kind error, text string) error {
	return fmt.Errorf("the Vault at %s: %s %s: %s: %w", c.host(), req.method, req.path, text, kind)
}

// transient is a failure that may be gone at the next try.
type transient struct {
	error
	after time.Duration // how long Vault asks us to wait
}

// Unwrap gives what it is an instance of.
func (t *transient) Unwrap() error { return t.error }

// pause says how long to wait before a request that failed is sent again, and whether it may be.
func (c *client) pause(err error, attempt int) (time.Duration, bool) {
	var t *transient
	if !errors.As(err, &t) {
		return 0, false
	}
	return max(t.after, c.jitter(min(50*time.Millisecond<<min(attempt, 5), time.Second))), true
}

// jitter gives between half of d and all of it.
func (c *client) jitter(d time.Duration) time.Duration {
	var b [8]byte
	c.random.Lock()
	_, err := io.ReadFull(c.cfg.Rand, b[:])
	c.random.Unlock()
	if err != nil {
		return d
	}
	return d/2 + time.Duration(binary.LittleEndian.Uint64(b[:])%uint64(d/2+1))
}

// lost is the error of a request that has no answer, or half of one.
func (c *client) lost(req request, err error) error {
	text, fix := "the connection broke", ""
	var (
		dial      *net.OpError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.Canceled):
		text = "the request was given up"
	case errors.As(err, &authority):
		text, fix = "its certificate comes from an unknown authority", "name the authority's certificate in ca"
	case errors.As(err, &name):
		text, fix = "its certificate is for another name", "write the name it is for in server_name"
	case errors.As(err, &invalid):
		text, fix = "its certificate is not valid", "renew it, or see to the clocks"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		text, fix = "it does not speak TLS", "write http, or turn its TLS on"
	case errors.As(err, &dial) && dial.Op == "dial":
		text, fix = "it cannot be reached", "see that it runs, and that the address is right"
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		text = "it did not answer in time"
	}
	if fix != "" {
		text += " (" + fix + ")"
	}
	failure := c.failure(req, keys.ErrUnavailable, text)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %w", failure, context.Canceled)
	}
	return &transient{error: failure}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// read takes the answers that speak of the request, and makes errors of the others.
func (c *client) read(req request, resp *http.Response) (*answer, error) {
	content, err := readAnswer(resp)
	_ = resp.Body.Close()
	if err != nil {
		return nil, c.lost(req, err)
	}
	ans := &answer{status: resp.StatusCode, body: content}
	switch ans.status {
	case http.StatusOK, http.StatusNoContent, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		return ans, nil
	case http.StatusInternalServerError:
		if ans.speaks() {
			return ans, nil
		}
	}
	defer ans.wipe()
	return nil, c.unavailable(req, ans, resp.Header.Get("Retry-After"))
}

// unavailable is the error of an answer that does not say what became of the request.
func (c *client) unavailable(req request, ans *answer, retryAfter string) error {
	switch said := ans.errors(); {
	case ans.status == http.StatusServiceUnavailable && strings.Contains(said, "sealed"):
		// No retry unseals it.
		return c.failure(req, keys.ErrUnavailable, "it is sealed (an operator of Vault must unseal it)")
	case ans.status == http.StatusTooManyRequests:
		return &transient{
			c.failure(req, keys.ErrUnavailable, "it answers 429, so a quota is exceeded (raise the quota)"),
			seconds(retryAfter),
		}
	case ans.status == http.StatusRequestEntityTooLarge:
		return c.failure(req, keys.ErrDenied, "it refuses a request of that size (raise max_request_size to 32 MiB)")
	case ans.status >= http.StatusInternalServerError, ans.status == http.StatusPreconditionFailed,
		ans.status == 472, ans.status == 473: // standbys of Vault Enterprise
		return &transient{c.failure(req, keys.ErrUnavailable, "it answers "+strconv.Itoa(ans.status)),
			seconds(retryAfter)}
	default:
		return c.failure(req, keys.ErrDenied,
			"it answers "+strconv.Itoa(ans.status)+" (is the address that of a Vault?)")
	}
}

func seconds(text string) time.Duration {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 3600 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// errors gives what Vault says, for comparison only.
func (a *answer) errors() string {
	var said struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(a.body, &said) != nil {
		return ""
	}
	return strings.Join(said.Errors, "; ")
}

// speaks says whether an answer of status 500 is about the request: Vault uses it for a key's version that is not
// there, and for a batch with an item that failed inside of Vault.
func (a *answer) speaks() bool {
	said := a.errors()
	return strings.Contains(said, "requested version for signing") || strings.Contains(said, "no such key version") ||
		said == "" && strings.Contains(string(a.body[:min(len(a.body), 512)]), `"batch_results"`)
}

// refusal is the error of an answer of status 400, 403, 404 or 500 that is about no item of a batch.
func (c *client) refusal(req request, ans *answer) error {
	said := ans.errors()
	contains := func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(said, t) {
				return true
			}
		}
		return false
	}
	switch {
	case ans.status == http.StatusForbidden:
		return c.failure(req, keys.ErrDenied,
			"it forbids it (the policy of our login lacks "+capability(req)+" on "+req.path+")")
	case contains("no handler for route", "unsupported path"):
		return c.failure(req, keys.ErrDenied, "there is no Transit engine at "+c.cfg.Mount+
			" (vault secrets enable -path="+c.cfg.Mount+" transit; or name its path in mount)")
	case contains("key not found", "no existing key named", "invalid key name") || ans.status == http.StatusNotFound:
		return c.failure(req, keys.ErrNoKey, "it has no such key")
	case contains("requested version for signing", "no such key version"):
		return c.failure(req, keys.ErrNoKey,
			"the key has no such version any more, or its minimum versions have been raised above it")
	case contains("does not support", "not supported for key type"):
		return c.failure(req, keys.ErrDenied, "the key is of the wrong type")
	case ans.status >= http.StatusInternalServerError:
		return c.failure(req, keys.ErrUnavailable, "it answers "+strconv.Itoa(ans.status))
	default:
		return c.failure(req, keys.ErrDenied,
			"it answers "+strconv.Itoa(ans.status)+" and refuses the request (see its audit log)")
	}
}

// capability is what a policy must grant for the request.
func capability(req request) string {
	if req.method == http.MethodGet {
		return "read"
	}
	return "update"
}

// decode reads an answer's JSON. The decoder's errors quote what they read, so they are left out.
func (c *client) decode(req request, ans *answer, into any) error {
	if err := json.Unmarshal(ans.body, into); err != nil {
		return c.failure(req, keys.ErrUnavailable, "its answer is not understood (is a proxy in between?)")
	}
	return nil
}
