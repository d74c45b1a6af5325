package vault_test

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/keys"
	"muniment/vault/keys/transit"
	"muniment/vault/rekey"
	"muniment/vault/servertest"
)

// vaultHouse keeps keys in a real Vault: the gateway works under its least-privilege policy, the key custodian under
// theirs.
func vaultHouse(t testing.TB) house {
	t.Helper()
	h, _ := vaultServer(t)
	return h
}

// vaultServer is vaultHouse with the server that the keys are in.
func vaultServer(t testing.TB) (house, *servertest.Vault) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real Vault")
	}
	server := servertest.NewVault(t)
	policies := map[string]string{}
	all, err := transit.Policies("", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		policies[p.Name] = p.HCL
	}
	for _, name := range []string{transit.Checkpoint, transit.Ledger} {
		server.Do(t, http.MethodPost, "transit/keys/muniment-"+name, server.RootToken,
			map[string]any{"type": "ed25519"})
	}
	role, secret := server.AppRole(t, "gateway", policies["muniment-gateway"], nil)
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := transit.Config{
		Address: server.Address, CA: server.CAFile, RequestTimeout: 5 * time.Second, RetryTime: time.Second,
		Auth:  transit.Auth{Method: transit.AppRole, RoleID: role, SecretIDFile: secretFile},
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}
	service, err := transit.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close() })
	token := server.Token(t, "custodian", policies["muniment-custodian"], nil)
	cfg.Auth = transit.Auth{Method: transit.Token, Token: keys.Secret(token)}
	custodian, err := transit.OpenCustodian(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = custodian.Close() })
	return house{service: service, custodian: custodian}, server
}

// TestKeyLifeInVault leads a key through its life in a real Vault.
func TestKeyLifeInVault(t *testing.T) {
	t.Parallel()
	testKeyLife(t, vaultHouse(t))
}

// A Vault that is sealed in the middle of a rewrap stops it; unsealed, it is taken up again where it was.
func TestRewrapStopsWithVault(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h, server := vaultServer(t)
	m := &meddling{Service: h.service}
	h.service = m
	l := newLifeRig(t, h)
	doc := l.deposit(vault.Deposit{Title: "kept"}, []byte("kept"))
	const notes = 6000
	l.must(vault.SealNotes(ctx, l.vault, l.who, doc.ID, notes))
	l.rotate()
	m.meddle(func(n int) error {
		if n == 5 { // four batches are wrapped at a time, so the fifth begins when one is on record
			server.Seal(t)
		}
		return nil
	})
	first := l.rewrapped()
	l.wants("the rewrap under a sealed Vault", first.Err, keys.ErrUnavailable)
	if first.State != rekey.RewrapFailed || first.Rewrapped == 0 || first.Rewrapped >= notes {
		t.Fatalf("the rewrap under a sealed Vault came to %+v", first)
	}
	server.Unseal(t)
	m.meddle(nil)
	if second := l.rewrapped(); second.State != rekey.RewrapDone ||
		first.Rewrapped+second.Rewrapped != notes+2+l.names() {
		t.Errorf("after %d rows, the second run came to %+v, error %v", first.Rewrapped, second, second.Err)
	}
	l.fsck()
}
