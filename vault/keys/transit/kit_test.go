package transit_test

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/keys"
	"muniment/vault/keys/transit"
	"muniment/vault/servertest"
)

var _ journal.Signer = (*transit.Signer)(nil)

var shared = servertest.Shared{Parallel: 8}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// kit is a Vault with the shipped policies in it, for as many services as a test needs.
type kit struct {
	vault  *servertest.Vault
	prefix string
}

// newKit is a test's own part of the Vault that the tests share.
func newKit(t testing.TB) *kit {
	t.Helper()
	return kitOf(t, shared.Vault(t))
}

// newOwnKit starts a Vault that the test may seal and stop, and in which it finds no other test's tokens and requests.
func newOwnKit(t testing.TB) *kit {
	t.Helper()
	return kitOf(t, servertest.NewVault(t))
}

func kitOf(t testing.TB, vault *servertest.Vault) *kit {
	t.Helper()
	k := &kit{vault: vault, prefix: "muniment"}
	k.makeKeys(t)
	return k
}

// with is the same Vault under another prefix, with the keys that the operator makes.
func (k *kit) with(t testing.TB, prefix string) *kit {
	t.Helper()
	other := &kit{vault: k.vault, prefix: prefix}
	other.makeKeys(t)
	return other
}

func (k *kit) makeKeys(t testing.TB) {
	t.Helper()
	k.do(t, http.MethodPost, "transit/keys/"+k.prefix+"-journal", map[string]any{"type": "aes256-gcm96"})
	for _, name := range []string{transit.Checkpoint, transit.Ledger} {
		k.do(t, http.MethodPost, "transit/keys/"+k.prefix+"-"+name, map[string]any{"type": "ed25519"})
	}
}

func (k *kit) do(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	return k.vault.Do(t, method, path, k.vault.RootToken, body)
}

// policy is the shipped policy of that name, for the kit's prefix.
func (k *kit) policy(t testing.TB, name string) string {
	t.Helper()
	policies, err := transit.Policies(k.vault.Transit, k.prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range policies {
		if p.Name == name {
			return p.HCL
		}
	}
	t.Fatalf("there is no policy %s", name)
	return ""
}

// config is that of a gateway that has a role with the gateway's policy.
func (k *kit) config(t testing.TB, settings map[string]any) transit.Config {
	t.Helper()
	role, secret := k.vault.AppRole(t, k.prefix+"-gateway", k.policy(t, "muniment-gateway"), settings)
	return transit.Config{
		Address: k.vault.Address, CA: k.vault.CAFile, Mount: k.vault.Transit, Prefix: k.prefix,
		Auth: transit.Auth{
			Method: transit.AppRole, Mount: k.vault.AppRoleMount, RoleID: role, SecretIDFile: secretFile(t, secret),
		},
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
		RequestTimeout: 5 * time.Second, RetryTime: time.Second,
	}
}

func secretFile(t testing.TB, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustOpen(t testing.TB, cfg transit.Config) *transit.Service {
	t.Helper()
	svc, err := transit.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := svc.Close(); err != nil {
			t.Error(err)
		}
	})
	return svc
}

func (k *kit) gateway(t testing.TB) *transit.Service {
	t.Helper()
	return mustOpen(t, k.config(t, nil))
}

// custodian logs in with a token that has the custodian's policy.
func (k *kit) custodian(t testing.TB) *transit.Custodian {
	t.Helper()
	return k.custodianBy(t, k.config(t, nil))
}

// custodianBy does so with the configuration of a gateway.
func (k *kit) custodianBy(t testing.TB, cfg transit.Config) *transit.Custodian {
	t.Helper()
	token := k.vault.Token(t, k.prefix+"-custodian", k.policy(t, "muniment-custodian"), nil)
	cfg.Auth = transit.Auth{Method: transit.Token, Token: keys.Secret(token)}
	c, err := transit.OpenCustodian(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
