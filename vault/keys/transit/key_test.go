package transit_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"muniment/anchor/proxytest"
	"muniment/vault/keys"
	"muniment/vault/keys/transit"
	"muniment/vault/servertest"
)

// checkIs fails the test unless the error is of that kind and names what to know.
func checkIs(t *testing.T, what string, err, want error, texts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want one that wraps %q", what, err, want)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q in it", what, err, text)
		}
	}
	checkQuiet(t, what, err)
}

func TestKeyAsVaultHasIt(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	if err := k.gateway(t).CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	key := k.do(t, http.MethodGet, "transit/keys/muniment-tenant-default", nil)["data"].(map[string]any)
	for field, want := range map[string]any{
		"type": "aes256-gcm96", "exportable": false, "allow_plaintext_backup": false, "deletion_allowed": false,
		"derived":        false,
		"latest_version": 1.0, "auto_rotate_period": 0.0,
	} {
		if key[field] != want {
			t.Errorf("%s is %v, want %v", field, key[field], want)
		}
	}
}

func TestKeyDeleted(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	wrapped := mustWrap(t, svc, "default", canary)
	k.do(t, http.MethodPost, "transit/keys/muniment-tenant-default/config", map[string]any{"deletion_allowed": true})
	k.do(t, http.MethodDelete, "transit/keys/muniment-tenant-default", nil)

	_, err := svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret(canary)})
	checkIs(t, "wrapping with a deleted key", err, keys.ErrNoKey, "transit/encrypt/muniment-tenant-default")
	got, err := svc.Unwrap(t.Context(), "default", []string{wrapped, "rubbish"})
	if err != nil {
		t.Fatal(err)
	}
	checkIs(t, "unwrapping with a deleted key", got[0].Err, keys.ErrNoKey, "transit/decrypt/muniment-tenant-default")
	checkIs(t, "unwrapping rubbish with it", got[1].Err, keys.ErrWrapped)
	again, err := svc.Rewrap(t.Context(), "default", []string{wrapped})
	if err != nil {
		t.Fatal(err)
	}
	checkIs(t, "rewrapping with a deleted key", again[0].Err, keys.ErrNoKey)
	_, err = svc.Versions(t.Context(), "default")
	checkIs(t, "describing a deleted key", err, keys.ErrNoKey)
	status, _ := k.vault.Try(t, http.MethodGet, "transit/keys/muniment-tenant-default", k.vault.RootToken, nil)
	if status != http.StatusNotFound {
		t.Error("a use of the deleted key has made another, under which nothing opens")
	}
}

// Somebody raises the minimum version without a trim.
func TestMinimumVersionRaised(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc, custodian := k.gateway(t), k.custodian(t)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	old := mustWrap(t, svc, "default", canary)
	if _, err := custodian.Rotate(t.Context(), "default", 1); err != nil {
		t.Fatal(err)
	}
	fresh := mustWrap(t, svc, "default", canary)
	k.do(t, http.MethodPost, "transit/keys/muniment-tenant-default/config", map[string]any{"min_decryption_version": 2})
	got, err := svc.Unwrap(t.Context(), "default", []string{old, fresh})
	if err != nil {
		t.Fatal(err)
	}
	checkIs(t, "unwrapping what a retired version wrapped", got[0].Err, keys.ErrNoKey)
	if got[1].Err != nil || string(got[1].Secret) != canary {
		t.Errorf("unwrapping beside it: %v", got[1].Err)
	}
	// It is as a trim that was broken off: visible as such, and finished by the same again.
	if v, err := svc.Versions(t.Context(), "default"); err != nil ||
		v != (keys.Versions{Newest: 2, Oldest: 2, Kept: 1}) {
		t.Errorf("the versions are %+v, %v; want what a broken trim leaves", v, err)
	}
	if err := custodian.Trim(t.Context(), "default", 2); err != nil {
		t.Error(err)
	}
	if v, err := svc.Versions(t.Context(), "default"); err != nil ||
		v != (keys.Versions{Newest: 2, Oldest: 2, Kept: 2}) {
		t.Errorf("after a trim the versions are %+v, %v", v, err)
	}
}

func TestWrongTypeOfTenantKey(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	for tenant, body := range map[string]map[string]any{
		"curve":      {"type": "ecdsa-p256"},
		"other":      {"type": "chacha20-poly1305"},
		"derived":    {"type": "aes256-gcm96", "derived": true},
		"exportable": {"type": "aes256-gcm96", "exportable": true},
		"backup":     {"type": "aes256-gcm96", "allow_plaintext_backup": true},
	} {
		k.do(t, http.MethodPost, "transit/keys/muniment-tenant-"+tenant, body)
		checkIs(t, tenant, svc.CreateTenant(t.Context(), tenant), keys.ErrDenied, "choose another prefix",
			"muniment-tenant-"+tenant)
	}
	_, err := svc.Wrap(t.Context(), "curve", []keys.Secret{keys.Secret(canary)})
	checkIs(t, "wrapping with a key for signatures", err, keys.ErrDenied, "wrong type")
}

func TestTenantNames(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	for _, good := range []string{"a", "0", "a-b", strings.Repeat("x", 100)} {
		if err := svc.CreateTenant(t.Context(), good); err != nil {
			t.Errorf("%q: %v", good, err)
			continue
		}
		mustWrap(t, svc, good, canary)
	}
	for _, bad := range []string{"", "-", "a-", "-a", "A", "a/b", "a/rotate", "..", "a b", "a?", "é",
		strings.Repeat("x", 101)} {
		if err := svc.CreateTenant(t.Context(), bad); err == nil {
			t.Errorf("%q was made", bad)
		}
		if _, err := svc.Wrap(t.Context(), bad, []keys.Secret{{1}}); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("wrapping for %q: %v, want ErrNoKey", bad, err)
		}
		if _, err := svc.Versions(t.Context(), bad); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("the versions of %q: %v, want ErrNoKey", bad, err)
		}
	}
}

// A permission that is missing is named.
func TestMissingPermission(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	if err := k.gateway(t).CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	full := k.policy(t, "muniment-gateway")
	for _, path := range []string{
		"encrypt/muniment-tenant-*", "decrypt/muniment-tenant-*", "rewrap/muniment-tenant-*", "keys/+",
		"sign/muniment-checkpoint",
	} {
		hcl := strings.Replace(full, `"`+k.vault.Transit+`/`+path, `"elsewhere/`+path, 1)
		if hcl == full {
			t.Fatalf("the policy has no path %s", path)
		}
		cfg := k.config(t, nil)
		cfg.Auth = transit.Auth{Method: transit.Token, Token: keys.Secret(k.vault.Token(t, "cut", hcl, nil))}
		svc := mustOpen(t, cfg)
		operation, _, _ := strings.Cut(path, "/")
		want := "update on " + k.vault.Transit + "/" + operation + "/muniment-"
		checkIs(t, "Check without "+path, svc.Check(t.Context()), keys.ErrDenied, want)
		b := &behind{kit: k, tenant: "default", svc: svc, wrapped: "vault:v1:AAAA"}
		for _, c := range calls() {
			if strings.HasPrefix(c.path, "/transit/"+operation+"/") && c.name != "Versions" {
				checkIs(t, c.name+" without "+path, c.do(t.Context(), b), keys.ErrDenied, want)
			}
		}
	}
}

// A rewrap that stops halfway loses nothing: what it was given still opens, and it can be done again.
func TestRewrapStoppedHalfway(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	b := k.behind(t, "default")
	const n = 3500 // four requests
	secrets := make([]keys.Secret, n)
	for i := range secrets {
		secrets[i] = keys.Secret(canary)
	}
	wrapped, err := b.svc.Wrap(t.Context(), "default", secrets)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.custodian(t).Rotate(t.Context(), "default", 1); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []proxytest.Kind{proxytest.Answer, proxytest.AnswerAfter} {
		always := b.proxy.Inject(proxytest.Fault{Kind: kind, Match: proxytest.On("", "/rewrap/"), Skip: 2, Times: -1})
		got, err := b.svc.Rewrap(t.Context(), "default", wrapped)
		b.checkReported(t, "a rewrap that stops halfway", "/transit/rewrap/", err)
		if got != nil {
			t.Error("a rewrap that stopped halfway gave results")
		}
		always.Remove()
	}
	got, err := b.svc.Rewrap(t.Context(), "default", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	again := make([]string, n)
	for i, r := range got {
		if version, err := keys.VersionOf(r.Wrapped); err != nil || version != 2 || r.Err != nil {
			t.Fatalf("item %d is of version %d, %v, %v", i, version, err, r.Err)
		}
		again[i] = r.Wrapped
	}
	for _, all := range [][]string{wrapped, again} {
		opened, err := b.svc.Unwrap(t.Context(), "default", all)
		if err != nil {
			t.Fatal(err)
		}
		for i, u := range opened {
			if u.Err != nil || string(u.Secret) != canary {
				t.Fatalf("item %d does not open: %v", i, u.Err)
			}
		}
	}
}

// Large secrets are spread over several requests.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	secrets := make([]keys.Secret, 100)
	for i := range secrets {
		secrets[i] = make(keys.Secret, keys.MaxSecret)
		secrets[i][0] = byte(i)
	}
	wrapped, err := svc.Wrap(t.Context(), "default", secrets)
	if err != nil {
		t.Fatal(err)
	}
	again, err := svc.Rewrap(t.Context(), "default", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range again {
		wrapped[i] = r.Wrapped
	}
	got, err := svc.Unwrap(t.Context(), "default", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range got {
		if u.Err != nil || len(u.Secret) != keys.MaxSecret || u.Secret[0] != byte(i) {
			t.Fatalf("item %d does not come back: %v", i, u.Err)
		}
	}
	op := servertest.Operation{Verb: "update", Path: "transit/encrypt/muniment-tenant-default"}
	if n := k.vault.Requests(t)[op]; n != 3 { // 100 times 88 KiB, 4 MiB a request
		t.Errorf("there were %d requests, want 3", n)
	}
}
