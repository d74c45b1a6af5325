package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"muniment/openapi"
	"muniment/vault/keys"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if w := r.admin("/livez"); w.Code != http.StatusOK {
		t.Errorf("livez: %d %s", w.Code, w.Body)
	}
	r.keys.fail(keys.ErrUnavailable)
	if w := r.admin("/livez"); w.Code != http.StatusOK {
		t.Errorf("livez without keys: %d %s", w.Code, w.Body)
	}
	if w := r.admin("/v1/documents"); w.Code != http.StatusNotFound {
		t.Errorf("the API is on the operator's port: %d", w.Code)
	}
	if a := r.do(http.MethodGet, "/metrics", nil); a.status != http.StatusNotFound {
		t.Errorf("the metrics are on the public port: %d", a.status)
	}
}

// TestDependencyFails maps what a dependency says to a problem that names it and says whether to retry.
func TestDependencyFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct {
		err   error
		code  string
		retry bool
	}{
		{keys.ErrUnavailable, "key-service-unavailable", true},
		{keys.ErrDenied, "key-service-denies", false},
		{errors.New("canary"), "internal", false},
	} {
		r.keys.fail(fmt.Errorf("asking the test's key service: %w", c.err))
		a := r.do(http.MethodPost, "/v1/documents", strings.NewReader("x"))
		var p openapi.Problem
		a.json(t, &p)
		if a.problem() != c.code || p.Retry != c.retry || (a.header.Get("Retry-After") != "") != c.retry {
			t.Errorf("%v: %d %s", c.err, a.status, a.body)
		}
		if strings.Contains(string(a.body), "canary") {
			t.Errorf("the problem tells what went wrong inside: %s", a.body)
		}
		r.keys.fail(nil)
	}
	r.deposit([]byte("x"))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deposit([]byte("12345"))
	r.do(http.MethodGet, "/v1/documents", nil, with("Authorization", ""))
	r.do("BREW", "/secret/path", nil)
	r.do(http.MethodPost, "/v1/anchors", nil)
	text := r.admin("/metrics").Body.String()
	for _, want := range []string{
		`muniment_http_requests_total{method="POST",route="/v1/documents",status="201"} 1`,
		`muniment_http_requests_total{method="GET",route="/v1/documents",status="401"} 1`,
		`muniment_http_requests_total{method="other",route="none",status="404"} 1`,
		`muniment_deposit_received_bytes_total 5`,
		`muniment_unauthenticated_requests_total 1`,
		`muniment_http_requests_in_flight 0`,
		`muniment_journal_unreleased_entries `,
		`muniment_anchor_behind_entries{kind="local",ledger="local/test"} 0`,
		`muniment_dependency_up{dependency="keys"} 1`,
		"go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("a path is in the metrics")
	}
}

// TestPanicIsAProblem shows that a fault in one request is a 500, and that what was panicked with is nowhere.
func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	r := newRig(t, panics)
	a := r.do(http.MethodGet, "/v1/documents", nil)
	if a.problem() != "internal" || strings.Contains(string(a.body), "canary") ||
		strings.Contains(r.log.String(), "canary") {
		t.Errorf("%d %s\n%s", a.status, a.body, r.log)
	}
	if !strings.Contains(r.log.String(), "a handler panicked") {
		t.Error("the log does not tell")
	}
}

// TestLogNamesItsUnit: how long a request took is logged in seconds, as the metrics have it.
func TestLogNamesItsUnit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(http.MethodGet, "/v1/version", nil)
	if err := r.http.Shutdown(t.Context()); err != nil { // the log comes after the answer
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(r.log.String()) {
		var served struct {
			Msg     string
			Seconds *float64 `json:"duration_seconds"`
		}
		if err := json.Unmarshal([]byte(line), &served); err != nil {
			t.Fatal(err)
		}
		if served.Msg != "request served" {
			continue
		}
		lines++
		if served.Seconds == nil || *served.Seconds <= 0 || *served.Seconds > 60 {
			t.Errorf("the log says %s", line)
		}
	}
	if lines != 1 {
		t.Errorf("%d requests are in the log", lines)
	}
}
