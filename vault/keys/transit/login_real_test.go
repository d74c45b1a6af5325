package transit_test

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"muniment/vault/keys"
	"muniment/vault/keys/transit"
	"muniment/vault/servertest"
)

// logins counts those by AppRole.
func (k *kit) logins(t *testing.T) int {
	t.Helper()
	return k.vault.Requests(t)[servertest.Operation{Verb: "update", Path: "auth/approle/login"}]
}

// revokeAll ends every token that AppRole has given.
func (k *kit) revokeAll(t *testing.T) {
	t.Helper()
	k.do(t, http.MethodPut, "sys/leases/revoke-prefix/auth/"+k.vault.AppRoleMount+"/login", nil)
}

func TestTokenRevoked(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		before := k.logins(t)
		k.revokeAll(t)
		eventually(t, "wrapping after the token was revoked", func() error {
			_, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("x")})
			return err
		})
		if n := k.logins(t) - before; n < 1 || n > 2 {
			t.Errorf("a revoked token made for %d logins, want 1", n)
		}
	}
}

// A login that is refused is not tried again and again.
func TestLoginNeverSpins(t *testing.T) { // alone, for its point is how long something takes
	k := newKit(t)
	svc := k.gateway(t)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	k.do(t, http.MethodDelete, "auth/approle/role/muniment-gateway", nil)
	k.revokeAll(t)
	before, calls := k.logins(t), 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); calls++ {
		_, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("x")})
		if !errors.Is(err, keys.ErrDenied) || !strings.Contains(err.Error(), "refuses our login") {
			t.Fatalf("wrapping without a login: %v, want ErrDenied that says so", err)
		}
	}
	if n := k.logins(t) - before; n < 1 || n > 6 {
		t.Errorf("%d calls in 3 s made for %d logins, want a few", calls, n)
	}
}

// A token that Vault lets live for seconds is renewed until its maximum age, and then replaced, and no call fails.
func TestTokenAtItsMaximumAge(t *testing.T) {
	t.Parallel()
	k := newOwnKit(t)
	svc := mustOpen(t, k.config(t, map[string]any{"token_ttl": "4s", "token_max_ttl": "8s"}))
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(11 * time.Second); time.Now().Before(end); <-tick.C {
		if _, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("x")}); err != nil {
			t.Fatalf("wrapping: %v", err)
		}
	}
	requests := k.vault.Requests(t)
	renewals := requests[servertest.Operation{Verb: "update", Path: "auth/token/renew-self"}]
	if logins := k.logins(t); logins < 2 || logins > 8 || renewals < 1 || renewals > 10 {
		t.Errorf("in 11 s there were %d logins and %d renewals; want a few of each", logins, renewals)
	}
}

// Tokens that cannot be renewed are replaced in time.
func TestBatchTokens(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := mustOpen(t, k.config(t, map[string]any{"token_ttl": "4s", "token_type": "batch"}))
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(6 * time.Second); time.Now().Before(end); <-tick.C {
		if _, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("x")}); err != nil {
			t.Fatalf("wrapping: %v", err)
		}
	}
}

// A token from a file is read again when it is refused.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cfg := k.config(t, nil)
	hcl := k.policy(t, "muniment-gateway")
	first := k.vault.Token(t, "muniment-gateway", hcl, map[string]any{"ttl": "1h"})
	path := secretFile(t, first)
	cfg.Auth = transit.Auth{Method: transit.Token, TokenFile: path}
	svc := mustOpen(t, cfg)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	k.vault.Revoke(t, first)
	_, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("x")})
	if !errors.Is(err, keys.ErrDenied) || !strings.Contains(err.Error(), "put a new one in its place") {
		t.Errorf("a revoked token: %v, want ErrDenied that says what to do", err)
	}
	if strings.Contains(err.Error(), first) {
		t.Error("the error shows the token")
	}
	if err := os.WriteFile(path, []byte(k.vault.Token(t, "muniment-gateway", hcl, nil)), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "wrapping with the new token", func() error {
		_, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("x")})
		return err
	})
	if err := svc.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _ := k.vault.Try(t, http.MethodGet, "auth/token/lookup-self", readSecret(t, path),
		nil); status != http.StatusOK {
		t.Errorf("a token that was given to us has status %d after Close; it is not ours to revoke", status)
	}
}

// A token may do its work although it may not look at itself.
func TestTokenWithoutLookup(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cfg := k.config(t, nil)
	hcl := strings.Replace(k.policy(t, "muniment-gateway"), "auth/token/lookup-self", "none", 1)
	cfg.Auth = transit.Auth{Method: transit.Token, Token: keys.Secret(k.vault.Token(t, "blind", hcl, nil))}
	if err := mustOpen(t, cfg).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func readSecret(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

func TestCloseGivesTheLoginBack(t *testing.T) {
	t.Parallel()
	k := newOwnKit(t)
	svc := k.gateway(t)
	accessors := func() int {
		list := k.do(t, "LIST", "auth/token/accessors", nil)
		return len(list["data"].(map[string]any)["keys"].([]any))
	}
	before := accessors()
	if err := svc.Close(); err != nil {
		t.Fatal(err)
	}
	if after := accessors(); after != before-1 {
		t.Errorf("there were %d tokens, and after Close %d", before, after)
	}
	if _, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("x")}); !errors.Is(err,
		keys.ErrUnavailable) {
		t.Errorf("wrapping after Close: %v, want ErrUnavailable", err)
	}
	if err := svc.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

// A definite refusal by Vault stops a start.
func TestOpenIsRefused(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for text, change := range map[string]func(*transit.Config){
		"refuses our login":               func(c *transit.Config) { c.Auth.RoleID = "nobody" },
		"is the approle method enabled":   func(c *transit.Config) { c.Auth.Mount = "elsewhere" },
		"vault secrets enable -path=none": func(c *transit.Config) { c.Mount, c.Auth = "none", rootAuth(t, k) },
		"policy of our login lacks read":  func(c *transit.Config) { c.Mount = "none" },
		"others than its owner":           func(c *transit.Config) { c.Auth.SecretIDFile = openFile(t) },
		"no such file":                    func(c *transit.Config) { c.Auth.SecretIDFile += ".none" },
		"must hold one line":              func(c *transit.Config) { c.Auth.SecretIDFile = secretFile(t, "a\nb") },
		"put a new one in its place": func(c *transit.Config) {
			c.Auth = transit.Auth{Method: transit.Token, Token: keys.Secret("none")}
		},
	} {
		cfg := k.config(t, nil)
		change(&cfg)
		svc, err := transit.Open(t.Context(), cfg)
		if !errors.Is(err, keys.ErrDenied) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
		if svc != nil {
			t.Errorf("%q: a service all the same", text)
		}
	}
}

func rootAuth(t *testing.T, k *kit) transit.Auth {
	t.Helper()
	return transit.Auth{Method: transit.Token, TokenFile: secretFile(t, k.vault.RootToken)}
}

func openFile(t *testing.T) string {
	t.Helper()
	path := secretFile(t, "secret")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Kubernetes is called untested, since there is no API to ask: this shows only that the login is sent and its refusal
// told.
func TestKubernetesWithoutKubernetes(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cfg := k.config(t, nil)
	cfg.Auth = transit.Auth{Method: transit.Kubernetes, Role: "muniment", JWTFile: openFile(t)}
	_, err := transit.Open(t.Context(), cfg)
	if !errors.Is(err, keys.ErrDenied) || !strings.Contains(err.Error(), "auth/kubernetes/login") {
		t.Errorf("logging in where the method is not enabled: %v, want ErrDenied with the path", err)
	}
}
