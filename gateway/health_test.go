package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/gateway"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/rekey"
)

// readiness is what /readyz answers.
type readiness struct {
	Ready        bool
	Version      string
	Origin       string
	Dependencies []struct {
		Name, Detail, Fix string
		OK, Needed        bool
		Since             time.Time
	}
	Cautions []struct{ Name, Detail, Fix string }
}

// line says of one dependency how it stands.
func (a readiness) line(name string) string {
	for _, d := range a.Dependencies {
		if d.Name == name {
			return fmt.Sprintf("ok=%v needed=%v %s → %s", d.OK, d.Needed, d.Detail, d.Fix)
		}
	}
	return "there is no " + name
}

// released returns when all that is committed is released.
func (r *rig) released() {
	r.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for ; r.journal.Checkpoint().Size < r.journal.Size(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("the journal is never released")
		}
	}
}

func (r *rig) ready(query string) (int, readiness) {
	r.t.Helper()
	w := r.admin("/readyz" + query)
	var out readiness
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		r.t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, out
}

// fixedError is an error that says what to do about it.
type fixedError struct{ error }

func (fixedError) Fix() string     { return "turn it on" }
func (e fixedError) Unwrap() error { return e.error }

// TestARefusedTrimIsACaution: that a trim would have destroyed another's key is told.
func TestARefusedTrimIsACaution(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	told := func() bool {
		_, got := r.ready("")
		return slices.ContainsFunc(got.Cautions, func(c struct{ Name, Detail, Fix string }) bool {
			return c.Name == "trim" && strings.Contains(c.Detail, "a trim was refused") && c.Fix != ""
		})
	}
	if told() {
		t.Error("it is told before")
	}
	_, err := r.journal.Commit(t.Context(), journal.Actor{Tenant: vault.DefaultTenant, ID: "custodian"},
		func(journal.View) (journal.Change, error) {
			event := rekey.KeyTrimRefused.New(journal.ID{}, rekey.KeyTrimRefusedData{ID: journaltest.ID})
			return journal.Change{Events: []journal.Event{event}}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if !told() {
		t.Error("it is not told")
	}
}

// TestReadiness: which failure makes a gateway unready, what is said of it, and what to do.
func TestReadiness(t *testing.T) {
	t.Parallel()
	clock := journaltest.NewClock()
	r := newRig(t, func(c *gateway.Config) { c.Clock = clock })
	r.released()
	status, got := r.ready("")
	if status != http.StatusOK || !got.Ready || got.Version != "test" || got.Origin != "muniment/test" {
		t.Errorf("%d %+v", status, got)
	}
	if len(got.Cautions) != 1 || !strings.Contains(got.Cautions[0].Detail, "tenant default is on trial") {
		t.Errorf("cautions: %+v", got.Cautions)
	}
	for name, want := range map[string]string{
		"journal": "ok=true needed=true ", "release": "ok=true needed=true ", "keys": "ok=true needed=true ",
		"objects": "ok=true needed=true ", "ledger local/test": "ok=true needed=false ",
	} {
		if line := got.line(name); !strings.HasPrefix(line, want) {
			t.Errorf("%s: %s", name, line)
		}
	}
	for _, c := range []struct {
		err       error
		says, fix string
	}{
		{keys.ErrUnavailable, "the key service is not available", "unsealed"},
		{keys.ErrDenied, "the key service denies access", "valid credential"},
		{fixedError{keys.ErrDenied}, "denies", "→ turn it on"},
	} {
		r.keys.fail(fmt.Errorf("asking the test's key service: %w", c.err))
		clock.Advance(time.Minute)
		status, got := r.ready("")
		if line := got.line("keys"); status != http.StatusServiceUnavailable || got.Ready ||
			!strings.HasPrefix(line, "ok=false needed=true checking the key service: asking the test's key "+
				"service: ") ||
			!strings.Contains(line, c.says) || !strings.Contains(line, c.fix) {
			t.Errorf("%d: %s", status, line)
		}
		if status, got := r.ready("?exclude=keys"); status != http.StatusOK || !got.Ready ||
			!strings.HasPrefix(got.line("keys"), "ok=false") {
			t.Errorf("without the keys: %d %+v", status, got)
		}
		if status, _ := r.ready("?exclude=objects"); status != http.StatusServiceUnavailable {
			t.Errorf("without another dependency: %d", status)
		}
	}
	r.keys.fail(nil)
	clock.Advance(time.Minute)
	if status, got := r.ready(""); status != http.StatusOK {
		t.Errorf("afterwards: %d %+v", status, got)
	}
}

// TestProbesShareAnAnswer: however often load balancers and scrapers ask, the key service is asked once in some
// seconds.
func TestProbesShareAnAnswer(t *testing.T) {
	t.Parallel()
	clock := journaltest.NewClock()
	clock.Set(time.Now()) // the journal's is the machine's
	r := newRig(t, func(c *gateway.Config) { c.Clock = clock })
	asked := atomic.Int64{}
	r.keys.watch(func() { asked.Add(1) })
	began := clock.Now().UTC()
	for range 50 {
		r.ready("")
		r.admin("/metrics")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("100 probes asked the key service %d times", n)
	}
	clock.Advance(5 * time.Second)
	_, got := r.ready("")
	if n := asked.Load(); n != 2 {
		t.Errorf("5 s later it was asked %d times in all", n)
	}
	for _, d := range got.Dependencies {
		if !d.Since.Equal(began) {
			t.Errorf("%s stands so since %v, not %v", d.Name, d.Since, began)
		}
	}
	r.keys.fail(keys.ErrUnavailable)
	failed := clock.Advance(5 * time.Second).UTC()
	_, got = r.ready("")
	for _, d := range got.Dependencies {
		if d.Name == "keys" && !d.Since.Equal(failed) {
			t.Errorf("the key service is down since %v, not %v", d.Since, failed)
		}
	}
	if text := r.admin("/metrics").Body.String(); !strings.Contains(text,
		`muniment_dependency_up{dependency="keys"} 0`) {
		t.Error("the metrics do not say that the key service is down")
	}
}

// TestEntriesThatAreNotReleased make a gateway unready, however seldom it is asked: its deposits would be answered 503.
func TestEntriesThatAreNotReleased(t *testing.T) {
	t.Parallel()
	clock := journaltest.NewClock()
	clock.Set(time.Now()) // the journal's is the machine's
	r := newRig(t, func(c *gateway.Config) { c.Clock = clock })
	r.released()
	r.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if c.Op == "put" {
			return journaltest.Fails
		}
		return journaltest.Works
	})
	_, err := r.journal.Commit(t.Context(), r.who.Actor(), func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{
			access.Denied.New(journal.ID{}, access.DeniedData{Action: access.Read}),
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, got := r.ready(""); status != http.StatusOK {
		t.Errorf("at once: %d %s", status, got.line("release"))
	}
	clock.Advance(-time.Hour)
	if status, got := r.ready(""); status != http.StatusServiceUnavailable {
		t.Errorf("from a time that is yet to come: %d %s", status, got.line("release"))
	}
	clock.Advance(time.Hour + time.Minute)
	status, got := r.ready("")
	if line := got.line("release"); status != http.StatusServiceUnavailable ||
		!strings.Contains(line, "entries wait for their release, 1 in all") ||
		!strings.Contains(line, "release bucket") {
		t.Errorf("a minute later: %d %s", status, line)
	}
	r.bucket.Inject(nil)
	r.released()
	clock.Advance(5 * time.Second)
	if status, got := r.ready(""); status != http.StatusOK {
		t.Errorf("released: %d %s", status, got.line("release"))
	}
}
