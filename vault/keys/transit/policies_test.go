package transit_test

import (
	"net/http"
	"strings"
	"testing"

	"muniment/vault/keys"
	"muniment/vault/keys/transit"
)

// act is a call of Vault's API, and which of the two may make it.
type act struct {
	method, path       string
	body               map[string]any
	gateway, custodian bool
}

// acts are all that Transit can do to a key, with what else a login might reach for. They come in an order in which
// each that is granted also succeeds.
func acts(wrapped, shippingKey string) []act {
	const (
		tenant, fresh, signing = "muniment-tenant-default", "muniment-tenant-fresh", "muniment-checkpoint"
		journal                = "muniment-journal"
		post, get              = http.MethodPost, http.MethodGet
	)
	plain, batch := map[string]any{"plaintext": "aGVsbG8="},
		map[string]any{"batch_input": []any{map[string]any{"ciphertext": wrapped}}}
	shipping := map[string]any{"batch_input": []any{map[string]any{"ciphertext": shippingKey}}}
	aes := map[string]any{"type": "aes256-gcm96", "exportable": false, "allow_plaintext_backup": false,
		"derived": false}
	return []act{
		{post, "transit/encrypt/" + tenant, plain, true, false},
		{post, "transit/decrypt/" + tenant, batch, true, false},
		{post, "transit/rewrap/" + tenant, batch, true, false},
		{get, "transit/keys/" + tenant, nil, true, true},
		{post, "transit/keys/" + tenant, aes, true, false},
		{post, "transit/keys/" + fresh, aes, true, false},
		{post, "transit/sign/" + signing, map[string]any{"input": "aGVsbG8=", "key_version": 1}, true, false},
		{post, "transit/sign/muniment-ledger", map[string]any{"input": "aGVsbG8=", "key_version": 1}, true, false},
		{get, "transit/keys/" + signing, nil, true, true},
		{post, "transit/encrypt/" + journal, plain, true, false},
		{post, "transit/decrypt/" + journal, shipping, true, false},
		{get, "transit/keys/" + journal, nil, true, false},
		{post, "sys/capabilities-self", map[string]any{"paths": []string{"transit/keys/x"}}, true, false},
		{get, "auth/token/lookup-self", nil, true, true},
		{post, "auth/token/renew-self", nil, true, true},

		{post, "transit/encrypt/muniment-tenant-unmade", plain, false, false}, // it would make one
		{post, "transit/keys/muniment-tenant-open", map[string]any{"type": "aes256-gcm96", "exportable": true}, false,
			false},
		{post, "transit/keys/muniment-tenant-backup",
			map[string]any{"type": "aes256-gcm96", "allow_plaintext_backup": true}, false, false},
		{post, "transit/keys/" + journal, aes, false, false},
		{post, "transit/rewrap/" + journal, shipping, false, false},
		{post, "transit/keys/" + journal + "/rotate", nil, false, false},
		{post, "transit/keys/" + journal + "/config", map[string]any{"min_decryption_version": 1}, false, false},
		{post, "transit/keys/" + journal + "/config", map[string]any{"deletion_allowed": true}, false, false},
		{post, "transit/keys/" + journal + "/trim", map[string]any{"min_available_version": 1}, false, false},
		{http.MethodDelete, "transit/keys/" + journal, nil, false, false},
		{get, "transit/export/encryption-key/" + journal, nil, false, false},
		{get, "transit/backup/" + journal, nil, false, false},
		{post, "transit/keys/muniment-other", map[string]any{"type": "ed25519"}, false, false},
		{post, "transit/keys/" + signing, map[string]any{"type": "ed25519"}, false, false},
		{post, "transit/keys/" + tenant + "/config", map[string]any{"deletion_allowed": true}, false, false},
		{post, "transit/keys/" + tenant + "/config", map[string]any{"exportable": true}, false, false},
		{post, "transit/keys/" + tenant + "/config", map[string]any{"auto_rotate_period": "1h"}, false, false},
		{http.MethodDelete, "transit/keys/" + tenant, nil, false, false},
		{get, "transit/export/encryption-key/" + tenant, nil, false, false},
		{get, "transit/export/signing-key/" + signing, nil, false, false},
		{get, "transit/backup/" + tenant, nil, false, false},
		{post, "transit/restore/" + tenant, map[string]any{"backup": "e30="}, false, false},
		{post, "transit/keys/muniment-tenant-imported/import", map[string]any{"ciphertext": "AAAA"}, false, false},
		{get, "transit/byok-export/" + tenant + "/" + signing, nil, false, false},
		{post, "transit/datakey/plaintext/" + tenant, nil, false, false},
		{post, "transit/hmac/" + tenant, map[string]any{"input": "aGVsbG8="}, false, false},
		{post, "transit/sign/" + tenant, map[string]any{"input": "aGVsbG8="}, false, false},
		{post, "transit/encrypt/" + signing, plain, false, false},
		{http.MethodGet, "transit/keys?list=true", nil, false, false},
		{post, "transit/config/keys", map[string]any{"disable_upsert": false}, false, false},
		{post, "transit/keys/" + signing + "/rotate", nil, false, false},
		{post, "transit/keys/" + signing + "/config", map[string]any{"min_encryption_version": 1}, false, false},
		{post, "transit/keys/" + signing + "/trim", map[string]any{"min_available_version": 1}, false, false},
		{get, "sys/policies/acl/muniment-gateway", nil, false, false},
		{get, "sys/mounts", nil, false, false},
		{http.MethodPut, "sys/seal", nil, false, false},
		{post, "auth/token/create", map[string]any{}, false, false},
		{post, "auth/approle/role/muniment-gateway/secret-id", nil, false, false},

		{post, "transit/keys/" + tenant + "/rotate", nil, false, true},
		{post, "transit/keys/" + tenant + "/config",
			map[string]any{"min_decryption_version": 2, "min_encryption_version": 2}, false, true},
		{post, "transit/keys/" + tenant + "/trim", map[string]any{"min_available_version": 2}, false, true},
		{post, "auth/token/revoke-self", nil, true, false}, // the last, since it ends the login
	}
}

func TestPoliciesGrantThatAndNoMore(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	gateway := k.gateway(t)
	if err := gateway.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	wrapped := mustWrap(t, gateway, "default", "secret")
	shippingKey, err := gateway.WrapShipping(t.Context(), keys.Secret("shipping"))
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []struct {
		policy string
		may    func(act) bool
	}{
		{"muniment-gateway", func(a act) bool { return a.gateway }},
		{"muniment-custodian", func(a act) bool { return a.custodian }},
	} {
		token := k.vault.Token(t, who.policy, k.policy(t, who.policy), nil)
		for _, a := range acts(wrapped, shippingKey) {
			status, answer := k.vault.Try(t, a.method, a.path, token, a.body)
			switch may := who.may(a); {
			case may && status/100 != 2:
				t.Errorf("%s may %s %s, but has %d %v", who.policy, a.method, a.path, status, answer["errors"])
			case !may && status != http.StatusForbidden:
				t.Errorf("%s may not %s %s %v, but has %d %v",
					who.policy, a.method, a.path, a.body, status, answer["errors"])
			}
		}
	}
	for _, made := range []string{"unmade", "open", "backup"} {
		status, _ := k.vault.Try(t, http.MethodGet, "transit/keys/muniment-tenant-"+made, k.vault.RootToken, nil)
		if status != http.StatusNotFound {
			t.Errorf("a call that was forbidden has made the key of tenant %s", made)
		}
	}
}

func mustWrap(t testing.TB, svc keys.Service, tenant, secret string) string {
	t.Helper()
	wrapped, err := svc.Wrap(t.Context(), tenant, []keys.Secret{keys.Secret(secret)})
	if err != nil {
		t.Fatal(err)
	}
	return wrapped[0]
}

func TestPoliciesFollowMountAndPrefix(t *testing.T) {
	t.Parallel()
	policies, err := transit.Policies("/agency/keys/", "archive")
	if err != nil || len(policies) != 2 {
		t.Fatalf("%d policies, %v", len(policies), err)
	}
	for _, p := range policies {
		if !strings.Contains(p.HCL, `path "agency/keys/keys/archive-checkpoint`) ||
			!strings.Contains(p.HCL, `path "agency/keys/keys/+`) {
			t.Errorf("%s does not name the mount and the prefix:\n%s", p.Name, p.HCL)
		}
		for line := range strings.Lines(p.HCL) {
			if strings.HasPrefix(line, "path") &&
				(strings.Contains(line, `"transit/`) || strings.Contains(line, "muniment-")) {
				t.Errorf("%s still has the line %s", p.Name, line)
			}
		}
	}
}
