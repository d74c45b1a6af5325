package gateway_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"muniment/gateway"
	"muniment/vault/access"
)

// TestInlineTakesTurns: a principal has four inline deposits in memory at most. It waits for no longer than it may
// stall, and its other deposits, and other principals', go on.
func TestInlineTakesTurns(t *testing.T) {
	t.Parallel()
	notShort(t, "it waits for a client that is slow")
	r := newRig(t, func(c *gateway.Config) { c.Limits.MinSpeed = gateway.MinSpeed{Stall: 2 * time.Second, Rate: 1} })
	other := r.principal(access.Grant{Role: access.Depositor})
	var slow []func() answer
	for range 4 {
		slow = append(slow, r.trickle("/v1/documents", gateway.InlineType, `{"content_base64":"eA=="`))
	}
	const body = `{"content_base64":"eA=="}`
	if a := r.inline(body); a.problem() != "timed-out" || a.header.Get("Retry-After") == "" {
		t.Errorf("a fifth at a time: %d %s", a.status, a.body)
	}
	a := r.do(http.MethodPost, "/v1/documents", strings.NewReader(body), with("Content-Type", gateway.InlineType),
		with("Authorization", ""), with("Authorization", "Bearer "+other))
	if a.status != http.StatusCreated {
		t.Errorf("another principal's: %d %s", a.status, a.body)
	}
	r.deposit([]byte("the body itself"))
	for _, finish := range slow {
		if a := finish(); a.status != http.StatusCreated {
			t.Errorf("one that was slow: %d %s", a.status, a.body)
		}
	}
	if a := r.inline(body); a.status != http.StatusCreated {
		t.Errorf("after the others: %d %s", a.status, a.body)
	}
}

// TestNothingAfterAForm: trailers are refused for forms and inline deposits too, and so are bodies that come slowly.
func TestNothingAfterAForm(t *testing.T) {
	t.Parallel()
	notShort(t, "it waits for a body that stalls")
	r := newRig(t, shortStall)
	for kind, body := range map[string]string{
		"multipart/form-data; boundary=b": string(crlf(aForm)), gateway.InlineType: `{"content_base64":"eA=="}`,
	} {
		head := "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\nTransfer-Encoding: chunked\n" +
			"Content-Type: " + kind + "\n\n"
		conn := r.dial()
		r.write(conn, head)
		fmt.Fprintf(conn, "%x\r\n%s\r\n0\r\nContent-Digest: %s\r\n\r\n", len(body), body,
			contentDigest([]byte("other")))
		if a := r.response(bufio.NewReader(conn)); a.problem() != "bad-digest" {
			t.Errorf("%s with a trailer: %d %s", kind, a.status, a.body)
		}
		conn = r.dial()
		r.write(conn, head)
		fmt.Fprintf(conn, "%x\r\n%s\r\n", len(body)-10, body[:len(body)-10])
		if a := r.response(bufio.NewReader(conn)); a.problem() != "too-slow" {
			t.Errorf("%s that stalls: %d %s", kind, a.status, a.body)
		}
	}
	if n := r.documents(); n != 0 {
		t.Errorf("%d documents are kept", n)
	}
}
