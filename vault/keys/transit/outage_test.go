package transit_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/anchor/processtest"
	"muniment/anchor/proxytest"
	"muniment/vault/keys"
	"muniment/vault/keys/transit"
	"muniment/vault/servertest"
)

// eventually waits until it works.
func eventually(t *testing.T, what string, do func() error) {
	t.Helper()
	var err error
	defer func() {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}()
	processtest.Await(t, what, func() bool { err = do(); return err == nil })
}

// checkDown fails the test unless every call says that Vault is not available, with the text.
func (b *behind) checkDown(t *testing.T, what, text string) {
	t.Helper()
	for _, c := range calls() {
		err := c.do(t.Context(), b)
		if !errors.Is(err, keys.ErrUnavailable) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s while %s: %v, want ErrUnavailable with %q", c.name, what, err, text)
		}
		checkQuiet(t, c.name, err)
	}
}

func (b *behind) checkUp(t *testing.T, what string) {
	t.Helper()
	for _, c := range calls() {
		if err := c.do(t.Context(), b); err != nil {
			t.Errorf("%s %s: %v", c.name, what, err)
		}
	}
}

func TestSealed(t *testing.T) { // alone, for its point is how long something takes
	k := newOwnKit(t)
	b := k.behind(t, "default")
	k.vault.Seal(t)
	begin := time.Now()
	b.checkDown(t, "sealed", "unseal")
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("%d calls took %v while sealed; a retry unseals nothing", len(calls()), took)
	}
	k.vault.Unseal(t)
	b.checkUp(t, "after unsealing")
}

func TestDown(t *testing.T) {
	t.Parallel()
	k := newOwnKit(t)
	b := k.behind(t, "default")
	b.proxy.Down()
	b.checkDown(t, "down", "cannot be reached")
	b.proxy.Up()
	b.checkUp(t, "when it is up again")
	k.vault.Stop(t)
	b.checkDown(t, "killed", b.proxy.Address)
	k.vault.Restart(t)
	b.checkDown(t, "restarted", "unseal")
	k.vault.Unseal(t)
	b.checkUp(t, "after a restart")
}

// A start while Vault is sealed succeeds with the public keys that an earlier one has left.
func TestOpenWhileSealed(t *testing.T) {
	t.Parallel()
	k := newOwnKit(t)
	cfg := k.config(t, nil)
	cfg.PublicKeys = filepath.Join(t.TempDir(), "public-keys.json")
	first := mustOpen(t, cfg)
	if err := first.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	signer, err := first.Signer(transit.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	k.vault.Seal(t)

	svc := mustOpen(t, cfg)
	again, err := svc.Signer(transit.Checkpoint)
	if err != nil || string(again.PublicKey()) != string(signer.PublicKey()) {
		t.Fatalf("the signer of a start while sealed: %v, want the same public key", err)
	}
	if _, err := again.Sign(t.Context(), []byte("x")); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("signing while sealed: %v, want ErrUnavailable", err)
	}
	if err := svc.Check(t.Context()); !errors.Is(err, keys.ErrUnavailable) || !strings.Contains(err.Error(), "unseal") {
		t.Errorf("Check while sealed: %v, want ErrUnavailable that says to unseal it", err)
	}
	cfg.PublicKeys = ""
	bare := mustOpen(t, cfg)
	if _, err := bare.Signer(transit.Checkpoint); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("the signer of a start while sealed that remembers nothing: %v, want ErrUnavailable", err)
	}

	k.vault.Unseal(t)
	eventually(t, "wrapping after unsealing", func() error {
		_, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("x")})
		return err
	})
	if _, err := again.Sign(t.Context(), []byte("x")); err != nil {
		t.Errorf("signing after unsealing: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	b := k.behind(t, "default")
	to := func(address string, status int) proxytest.Fault {
		return proxytest.Fault{Kind: proxytest.Answer, Status: status, Times: -1,
			Header: http.Header{"Location": {address + "/v1/" + k.vault.Transit + "/encrypt/muniment-tenant-default"}},
			Match:  proxytest.On("", "/encrypt/")}
	}
	for _, status := range []int{301, 302, 307, 308} {
		standby := b.proxy.Inject(to(k.vault.Address, status))
		wrapped := mustWrap(t, b.svc, "default", "secret") // a standby says where the active server is
		standby.Remove()
		got, err := b.svc.Unwrap(t.Context(), "default", []string{wrapped})
		if err != nil || string(got[0].Secret) != "secret" {
			t.Errorf("what was wrapped after a %d: %v, %v", status, got, err)
		}
	}
	for what, address := range map[string]string{"to itself": b.proxy.URL(), "to nowhere": "http://127.0.0.1:1",
		"": ""} {
		loop := b.proxy.Inject(to(address, http.StatusTemporaryRedirect))
		_, err := b.svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret(canary)})
		if !errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("a redirect %s: %v, want ErrUnavailable", what, err)
		}
		loop.Remove()
	}
}

// A secret that was to go over TLS does not go in the clear to where an answer says.
func TestRedirectOutOfTLS(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	plain := proxytest.New(t, k.vault.Address)
	secure := proxytest.NewTLS(t, k.vault.Address)
	cfg := k.config(t, nil)
	cfg.Address, cfg.CA = secure.URL(), secure.CAFile()
	svc := mustOpen(t, cfg)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	secure.Inject(proxytest.Fault{Kind: proxytest.Answer, Status: http.StatusTemporaryRedirect,
		Match:  proxytest.On("", "/encrypt/"),
		Header: http.Header{"Location": {plain.URL() + "/v1/" + k.vault.Transit + "/encrypt/muniment-tenant-default"}}})
	if _, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret(canary)}); !errors.Is(err,
		keys.ErrUnavailable) {
		t.Errorf("a redirect out of TLS: %v, want ErrUnavailable", err)
	}
	if n := len(plain.Requests()); n > 0 {
		t.Errorf("%d requests went in the clear", n)
	}
}

func TestTLS(t *testing.T) {
	k := newKit(t)
	proxy := proxytest.NewTLS(t, k.vault.Address)
	t.Setenv("VAULT_SKIP_VERIFY", "true") // Vault's own client obeys it
	t.Setenv("VAULT_TOKEN", "of somebody else")
	t.Setenv("VAULT_NAMESPACE", "of/somebody/else")
	good := k.config(t, nil)
	good.Address, good.CA = proxy.URL(), proxy.CAFile()
	good.RequestTimeout, good.RetryTime = time.Second, time.Second
	if err := mustOpen(t, good).Check(t.Context()); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	for text, change := range map[string]func(*transit.Config){
		"unknown authority": func(c *transit.Config) { c.CA = "" },
		"another name":      func(c *transit.Config) { c.ServerName = "vault.example.org" },
		"does not speak": func(c *transit.Config) {
			c.Address = strings.Replace(k.vault.Address, "http:", "https:", 1)
		},
	} {
		cfg := good
		change(&cfg)
		err := mustOpen(t, cfg).Check(t.Context())
		if !errors.Is(err, keys.ErrUnavailable) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, change := range []func(*transit.Config){
		func(c *transit.Config) { c.CA = filepath.Join(t.TempDir(), "none") },
		func(c *transit.Config) { c.CA = c.Auth.SecretIDFile },
	} {
		cfg := good
		change(&cfg)
		if _, err := transit.Open(t.Context(), cfg); !errors.Is(err, transit.ErrConfig) {
			t.Errorf("a CA file that cannot be used: %v, want ErrConfig", err)
		}
	}
}

// A step-down in the midst of requests is got over.
func TestFailover(t *testing.T) {
	t.Parallel()
	cluster := servertest.NewVaultCluster(t)
	k := &kit{vault: cluster.Active(t), prefix: "muniment"}
	k.makeKeys(t)
	cfg := k.config(t, nil)
	cfg.RequestTimeout, cfg.RetryTime = 2*time.Second, 20*time.Second
	svc := mustOpen(t, cfg)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			wrapped, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret("secret")})
			if err == nil {
				var got []keys.Unwrapped
				if got, err = svc.Unwrap(t.Context(), "default", wrapped); err == nil &&
					string(got[0].Secret) != "secret" {
					err = got[0].Err
				}
			}
			if err != nil || ctx.Err() != nil {
				failed <- err
				return
			}
		}
	}()
	cluster.StepDown(t)
	cluster.StepDown(t)
	cancel()
	if err := <-failed; err != nil {
		t.Errorf("during a step-down: %v", err)
	}
}

// Vault says when to come back: not earlier, and not at all if that is too late for who waits.
func TestRetryAfter(t *testing.T) { // alone, for its point is how long something takes
	b := newKit(t).behind(t, "default")
	quota := func(after string) proxytest.Fault {
		return proxytest.Fault{Kind: proxytest.Answer, Status: http.StatusTooManyRequests,
			Match:  proxytest.On("", "/encrypt/"),
			Header: http.Header{"Retry-After": {after}}}
	}
	b.proxy.Inject(quota("1"))
	begin := time.Now()
	mustWrap(t, b.svc, "default", canary)
	if took := time.Since(begin); took < time.Second {
		t.Errorf("it came back after %v, and was asked to wait a second", took)
	}
	b.proxy.Inject(quota("60"))
	begin = time.Now()
	_, err := b.svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret(canary)})
	checkIs(t, "asked to wait a minute", err, keys.ErrUnavailable, "429", "raise the quota")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it gave up after %v, and could have at once", took)
	}
}

// The namespace goes with every request, the login's too. Vault Enterprise, which reads it, is untested.
func TestNamespaceIsSent(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	proxy := proxytest.New(t, k.vault.Address)
	named := proxy.Inject(proxytest.Fault{Kind: proxytest.Delay, Times: -1, Match: func(r *http.Request) bool {
		return r.Header.Get("X-Vault-Namespace") == "agency/records"
	}})
	cfg := k.config(t, nil)
	cfg.Address, cfg.Namespace = proxy.URL(), "agency/records"
	_ = mustOpen(t, cfg).Check(t.Context())
	if all := len(proxy.Requests()); all < 3 || named.Struck() != all {
		t.Errorf("%d of %d requests name the namespace", named.Struck(), all)
	}
}
