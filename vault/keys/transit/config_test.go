package transit_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault/keys"
	"muniment/vault/keys/transit"
)

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := transit.Config{
		Address: "https://127.0.0.1:1", Auth: transit.Auth{Method: transit.Token, Token: keys.Secret("x")},
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler), RetryTime: 1,
	}
	svc, err := transit.Open(t.Context(), good) // nobody is there, which is no fault of the configuration's
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Close(); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*transit.Config){
		"no address":          func(c *transit.Config) { c.Address = "" },
		"no scheme":           func(c *transit.Config) { c.Address = "127.0.0.1:8200" },
		"another scheme":      func(c *transit.Config) { c.Address = "unix:///run/vault" },
		"a password":          func(c *transit.Config) { c.Address = "https://canary:canary@127.0.0.1:8200" },
		"a mount with a dot":  func(c *transit.Config) { c.Mount = "transit/../sys" },
		"a mount with a mark": func(c *transit.Config) { c.Mount = "transit?" },
		"no mount":            func(c *transit.Config) { c.Mount = "/" },
		"a prefix in capital": func(c *transit.Config) { c.Prefix = "Muniment" },
		"a prefix with slash": func(c *transit.Config) { c.Prefix = "a/b" },
		"a tenant's prefix":   func(c *transit.Config) { c.Prefix = "muniment-tenant-x" },
		"tenants' prefix":     func(c *transit.Config) { c.Prefix = "muniment-tenant" },
		"a long prefix":       func(c *transit.Config) { c.Prefix = strings.Repeat("x", 65) },
		"no way to log in":    func(c *transit.Config) { c.Auth = transit.Auth{} },
		"an unknown way":      func(c *transit.Config) { c.Auth.Method = "ldap" },
		"no token":            func(c *transit.Config) { c.Auth = transit.Auth{Method: transit.Token} },
		"two tokens":          func(c *transit.Config) { c.Auth.TokenFile = "x" },
		"no secret id":        func(c *transit.Config) { c.Auth = transit.Auth{Method: transit.AppRole, RoleID: "x"} },
		"no role id": func(c *transit.Config) {
			c.Auth = transit.Auth{Method: transit.AppRole, SecretIDFile: "x"}
		},
		"no role": func(c *transit.Config) {
			c.Auth = transit.Auth{Method: transit.Kubernetes, JWTFile: "x"}
		},
		"no clock":      func(c *transit.Config) { c.Clock = nil },
		"no randomness": func(c *transit.Config) { c.Rand = nil },
		"no log":        func(c *transit.Config) { c.Log = nil },
	} {
		cfg := good
		change(&cfg)
		_, err := transit.Open(t.Context(), cfg)
		_, custodianErr := transit.OpenCustodian(t.Context(), cfg)
		for _, err := range []error{err, custodianErr} {
			if !errors.Is(err, transit.ErrConfig) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %v, want ErrConfig without what was configured", what, err)
			}
		}
	}
}

func TestNothingIsPrinted(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	signer, custodian := mustSigner(t, svc, transit.Checkpoint), k.custodian(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s"} {
		got := fmt.Sprintf(verb, svc) + fmt.Sprintf(verb, signer) + fmt.Sprintf(verb, custodian)
		if got != "[vault keys][signer][vault custodian]" {
			t.Errorf("under %s: %s", verb, got)
		}
	}
}

// The custodian's login does the custodian's acts and nothing else; and without Vault there is no custodian.
func TestCustodianLogin(t *testing.T) {
	t.Parallel()
	k := newOwnKit(t)
	if err := k.gateway(t).CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	cfg := k.config(t, nil) // the gateway's login in the custodian's place
	c, err := transit.OpenCustodian(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, err = c.Rotate(t.Context(), "default", 1)
	checkIs(t, "rotating with the gateway's login", err, keys.ErrDenied,
		"update on "+k.vault.Transit+"/keys/muniment-tenant-default/rotate")
	custodian := k.custodian(t)
	if _, err := custodian.Rotate(t.Context(), "default", 1); err != nil {
		t.Error(err)
	}
	err = c.Trim(t.Context(), "default", 2)
	checkIs(t, "trimming with the gateway's login", err, keys.ErrDenied,
		"update on "+k.vault.Transit+"/keys/muniment-tenant-default/config")
	if v, err := custodian.Versions(t.Context(), "default"); err != nil ||
		v != (keys.Versions{Newest: 2, Oldest: 1, Kept: 1}) {
		t.Errorf("the versions are %+v, %v", v, err)
	}
	k.vault.Seal(t)
	_, err = transit.OpenCustodian(t.Context(), cfg)
	checkIs(t, "a custodian while Vault is sealed", err, keys.ErrUnavailable, "unseal")
	_, err = custodian.Rotate(t.Context(), "default", 2)
	checkIs(t, "rotating while it is sealed", err, keys.ErrUnavailable, "unseal")
}
