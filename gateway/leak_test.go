package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"muniment/gateway"
	"muniment/vault/access"
)

// panicking is an authenticator that panics with somebody's data.
type panicking struct{}

func (panicking) Authenticate(*http.Request) (access.Who, error) { panic("canary") }

func panics(c *gateway.Config) { c.Authn = panicking{} }

// TestNothingLeaks sends a canary wherever a client may put text, in requests that succeed and that fail, and looks for
// it in the log at every level, in metrics and in problems.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const canary = "canary-7a81"
	content := []byte("the content is " + canary)
	all := []func(*http.Request){
		with("Muniment-File-Name", canary+".pdf"), with("Muniment-Title", canary), with("Muniment-External-Id", canary),
		with("Muniment-Attribute", "a="+canary), with("Idempotency-Key", canary), with("User-Agent", canary),
		with("Referer", "https://"+canary), with("X-Request-Id", canary), with("X-Forwarded-For", canary),
		with("Content-Type", "text/"+canary), with("Cookie", canary),
	}
	d := r.deposit(content, all...)
	var problems []answer
	fail := func(method, target, body string, change ...func(*http.Request)) {
		a := r.do(method, target, strings.NewReader(body), change...)
		if a.problem() == "" {
			t.Errorf("%s %s is %d", method, target, a.status)
		}
		problems = append(problems, a)
	}
	fail(http.MethodPost, "/v1/documents", canary, with("Idempotency-Key", canary))
	fail(http.MethodPut, "/v1/documents/by-external-id/"+canary, canary)
	fail(http.MethodGet, "/v1/documents/by-external-id/"+canary+"-2", "")
	fail(http.MethodGet, "/v1/documents/"+canary, "")
	fail(http.MethodGet, "/"+canary, "")
	fail(http.MethodGet, "/v1/documents?"+canary+"=1", "")
	fail(http.MethodGet, "/v1/documents?cursor="+canary, "")
	fail(http.MethodGet, "/v1/documents/"+d.ID+"/content?purpose="+url.QueryEscape(canary+" "), "")
	fail(http.MethodGet, "/v1/documents/"+d.ID+"/content?purpose=a", "", with("Range", canary))
	fail(http.MethodGet, "/v1/documents", "", with("Authorization", ""), with("Authorization", "Bearer mun_"+canary))
	fail(http.MethodPost, "/v1/documents", "", with("Muniment-"+canary, canary))
	fail(http.MethodPost, "/v1/documents", "x", with("Muniment-Attribute", canary))
	fail(http.MethodPost, "/v1/documents", "x", with("Muniment-Ledger-Ref", canary))
	fail(http.MethodPost, "/v1/documents", "x", with("Muniment-Series", canary))
	fail(http.MethodPost, "/v1/documents", "x", with("Muniment-Record-Date", canary))
	fail(http.MethodPost, "/v1/documents", "x", with("Content-Digest", canary))
	fail(http.MethodPost, "/v1/documents?file_name="+canary+"%2f", "x")
	fail(http.MethodPost, "/v1/verify", `{"document":"`+canary+`","digest":"`+canary+`"}`,
		with("Content-Type", "application/json"))
	multipart := with("Content-Type", "multipart/form-data; boundary=b")
	for _, part := range []string{
		canary, "--b\r\n" + canary + "\r\n", "--b\r\nContent-Disposition: form-data; name=" + canary + "\r\n\r\n",
		"--b\r\nContent-Disposition: form-data; name=file; filename=\"../" + canary + "\"\r\n\r\n" + canary +
			"\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=metadata\r\n\r\n{\"" + canary + "\":1}\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=file\r\nMuniment-Title: " + canary + "\r\n\r\nx\r\n--b--",
	} {
		fail(http.MethodPost, "/v1/documents", part, multipart)
	}
	for _, body := range []string{`{"` + canary + `":1}`, `{"content_base64":"` + canary + `"}`,
		`{"content_base64":"","title":["` + canary + `"]}`} {
		fail(http.MethodPost, "/v1/documents", body, with("Content-Type", gateway.InlineType))
	}
	fail(canary, "/v1/documents", "")

	sum := sha256.Sum256(content)
	for _, form := range []string{
		canary, base64.StdEncoding.EncodeToString([]byte(canary))[:12], hex.EncodeToString([]byte(canary)),
		hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sum[:]), r.token, r.token[4:],
	} {
		for _, a := range problems {
			if bytes.Contains(a.body, []byte(form)) {
				t.Errorf("a problem says %s: %s", form, a.body)
			}
		}
		if strings.Contains(r.log.String(), form) {
			t.Errorf("the log says %s:\n%s", form, r.log)
		}
		if strings.Contains(r.admin("/metrics").Body.String(), form) {
			t.Errorf("the metrics say %s", form)
		}
	}
}

// TestForgedAddress shows whose address the log names for a refused credential: the peer's, not what a header says.
func TestForgedAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(http.MethodGet, "/v1/documents", nil, with("Authorization", ""), with("X-Forwarded-For", "203.0.113.7"),
		with("X-Real-Ip", "203.0.113.7"))
	if log := r.log.String(); strings.Contains(log, "203.0.113.7") || !strings.Contains(log, `"peer":"127.0.0.1"`) {
		t.Errorf("the log says %s", log)
	}
}
