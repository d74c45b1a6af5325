package transit_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"muniment/anchor/proxytest"
	"muniment/vault/keys"
	"muniment/vault/keys/transit"
)

func mustSigner(t *testing.T, svc *transit.Service, name string) *transit.Signer {
	t.Helper()
	signer, err := svc.Signer(name)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestSigners(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	public := map[string]string{}
	for _, name := range []string{transit.Checkpoint, transit.Ledger} {
		signer := mustSigner(t, svc, name)
		for _, message := range []string{"m", "message", string(make([]byte, 1<<16))} {
			signature, err := signer.Sign(t.Context(), []byte(message))
			if err != nil || !ed25519.Verify(signer.PublicKey(), []byte(message), signature) {
				t.Errorf("signing %d bytes with the %s key: %v", len(message), name, err)
			}
		}
		public[string(signer.PublicKey())] = name
	}
	if len(public) != 2 {
		t.Error("both signers have the same key")
	}
	if _, err := svc.Signer("other"); !errors.Is(err, transit.ErrSigner) {
		t.Errorf("an unknown signer: %v, want ErrSigner", err)
	}
}

// After a rotation it still signs with the version that is pinned.
func TestSignerKeepsItsVersion(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cfg := k.config(t, nil)
	before := mustSigner(t, mustOpen(t, cfg), transit.Checkpoint)
	k.do(t, http.MethodPost, "transit/keys/muniment-checkpoint/rotate", nil)
	for _, signer := range []*transit.Signer{before, mustSigner(t, mustOpen(t, cfg), transit.Checkpoint)} {
		signature, err := signer.Sign(t.Context(), []byte("message"))
		if err != nil || !ed25519.Verify(before.PublicKey(), []byte("message"), signature) {
			t.Errorf("after a rotation in Vault: %v", err)
		}
	}
	cfg.CheckpointVersion = 2
	second := mustSigner(t, mustOpen(t, cfg), transit.Checkpoint)
	if _, err := second.Sign(t.Context(), []byte("message")); err != nil ||
		bytes.Equal(before.PublicKey(), second.PublicKey()) {
		t.Errorf("version 2: %v, or the same key as version 1", err)
	}
	cfg.CheckpointVersion = 3
	_, err := mustOpen(t, cfg).Signer(transit.Checkpoint)
	checkIs(t, "a version that is not there", err, transit.ErrSigner, "version 3")

	k.do(t, http.MethodPost, "transit/keys/muniment-checkpoint/config", map[string]any{"min_encryption_version": 2})
	_, err = before.Sign(t.Context(), []byte(canary))
	checkIs(t, "signing with a version below the minimum", err, keys.ErrNoKey, "minimum versions")
	cfg.CheckpointVersion = 1
	_, err = mustOpen(t, cfg).Signer(transit.Checkpoint)
	checkIs(t, "opening a version below the minimum", err, transit.ErrSigner, "min_encryption_version")
}

func TestSignersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for prefix, body := range map[string]map[string]any{
		"none": nil, "aes": {"type": "aes256-gcm96"}, "curve": {"type": "ecdsa-p256"},
		"derived": {"type": "ed25519", "derived": true},
	} {
		if body != nil {
			k.do(t, http.MethodPost, "transit/keys/"+prefix+"-checkpoint", body)
		}
		other := &kit{vault: k.vault, prefix: prefix}
		svc := other.gateway(t) // the rest works, so that the message says which part does not
		_, err := svc.Signer(transit.Checkpoint)
		checkIs(t, prefix, err, transit.ErrSigner, "transit/keys/"+prefix+"-checkpoint", "ed25519")
	}
}

// A signature of another key, or an answer that is no signature, never leaves Sign.
func TestSignatureIsVerified(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	b := k.behind(t, "default")
	signer := mustSigner(t, b.svc, transit.Checkpoint)
	k.do(t, http.MethodPost, "transit/keys/muniment-checkpoint/rotate", nil)
	sign := func(key string, version int, message string) string {
		answer := k.do(t, http.MethodPost, "transit/sign/"+key,
			map[string]any{"input": message, "key_version": version})
		return answer["data"].(map[string]any)["signature"].(string)
	}
	good := sign("muniment-checkpoint", 1, "bWVzc2FnZQ==")
	for what, signature := range map[string]string{
		"another key's":        sign("muniment-ledger", 1, "bWVzc2FnZQ=="),
		"another version's":    sign("muniment-checkpoint", 2, "bWVzc2FnZQ=="),
		"another message's":    sign("muniment-checkpoint", 1, "b3RoZXI="),
		"one that is cut":      good[:len(good)-8],
		"one with a wrong tag": "vault:v2" + good[len("vault:v1"):],
		"no signature":         "vault:v1:",
		"rubbish":              "rubbish",
	} {
		b.proxy.Inject(proxytest.Fault{Kind: proxytest.AnswerAfter, Status: http.StatusOK,
			Match: proxytest.On("", "/sign/"),
			Body:  `{"data":{"signature":"` + signature + `"}}`})
		_, err := signer.Sign(t.Context(), []byte("message"))
		checkIs(t, what, err, transit.ErrSignature, "transit/sign/muniment-checkpoint")
	}
	if _, err := signer.Sign(t.Context(), []byte("message")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// The public keys that are remembered are held against what Vault says.
func TestPublicKeysAreRemembered(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	cfg := k.config(t, nil)
	cfg.PublicKeys = filepath.Join(t.TempDir(), "public-keys.json")
	mustOpen(t, cfg)
	remembered, err := os.ReadFile(cfg.PublicKeys)
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, cfg)
	if again, err := os.ReadFile(cfg.PublicKeys); err != nil || string(again) != string(remembered) {
		t.Errorf("a second start wrote %s, %v; the first %s", again, err, remembered)
	}

	k.do(t, http.MethodPost, "transit/keys/muniment-checkpoint/config", map[string]any{"deletion_allowed": true})
	k.do(t, http.MethodDelete, "transit/keys/muniment-checkpoint", nil)
	k.do(t, http.MethodPost, "transit/keys/muniment-checkpoint", map[string]any{"type": "ed25519"})
	svc := mustOpen(t, cfg)
	_, err = svc.Signer(transit.Checkpoint)
	checkIs(t, "a key that was made anew", err, transit.ErrSigner, cfg.PublicKeys, "right Vault")
	if _, err := svc.Signer(transit.Ledger); err != nil {
		t.Errorf("the other signer: %v", err)
	}
	if again, err := os.ReadFile(cfg.PublicKeys); err != nil || string(again) != string(remembered) {
		t.Errorf("what was remembered changed to %s, %v", again, err)
	}

	for _, bad := range []string{"", "{", `{"version":1,"more":1}`, `{"version":1,"public_keys":{"a":"AAAA"}}`,
		`{"version":2}`} {
		if err := os.WriteFile(cfg.PublicKeys, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := transit.Open(t.Context(), cfg); err == nil {
			t.Errorf("a file of public keys with %q in it was read", bad)
		}
	}
}
