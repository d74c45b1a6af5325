package main

import (
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"

	"muniment/anchor/proxytest"
)

// TestRealVaultFaults: each fault between us and Vault, before and after it took effect. A fault that passes is not
// noticed; one that lasts is answered 503, and the retry leaves exactly one document.
func TestRealVaultFaults(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	wrap, sign := proxytest.On("", "/transit/encrypt/"), proxytest.On("", "/transit/sign/muniment-checkpoint")
	var strikes []strike
	for _, kind := range []proxytest.Kind{proxytest.Answer, proxytest.AnswerAfter, proxytest.Reset,
		proxytest.ResetAfter, proxytest.HangAfter} {
		strikes = append(strikes,
			strike{"wrap, once", proxytest.Fault{Kind: kind, Match: wrap}, smallDocument, taken},
			strike{"sign, once", proxytest.Fault{Kind: kind, Match: sign}, smallDocument, taken},
		)
	}
	for _, kind := range []proxytest.Kind{proxytest.Answer, proxytest.AnswerAfter, proxytest.Hang,
		proxytest.ResetAfter} {
		strikes = append(strikes, strike{"wrap, for long", proxytest.Fault{Kind: kind, Match: wrap, Times: -1},
			smallDocument, keysDown})
	}
	strikes = append(strikes,
		strike{"429 with Retry-After",
			proxytest.Fault{Match: wrap, Status: 429, Header: http.Header{"Retry-After": {"1"}}}, smallDocument,
			taken},
		strike{"429, for long", proxytest.Fault{Match: wrap, Status: 429, Times: -1}, smallDocument, keysDown},
		strike{"412 of a standby", proxytest.Fault{Match: wrap, Status: 412}, smallDocument, taken},
		strike{"sign, for long", proxytest.Fault{Match: sign, Times: -1}, smallDocument, notReleased},
	)
	trials := []trial{{"sealed, restarted, revoked", func(r *real, v *victim) {
		r.sealed(v)
		r.vaultRestarts(v)
		r.revoked(v)
	}}}
	for i, s := range strikes {
		trials = append(trials, trial{fmt.Sprintf("%s %s", s.fault.Kind, s.name), func(r *real, v *victim) {
			v.suffer(r.proxy, fmt.Sprintf("strike-%d", i), s)
		}})
	}
	sideBySide(t, trials)
}

// sealed: while Vault is sealed, deposits and content reads are refused, and all else goes on; also after a start in
// that time.
func (r *real) sealed(v *victim) {
	r.t.Helper()
	v.recover("first", smallDocument)
	id := v.acked["first"].ID
	purpose := map[string]string{"Muniment-Purpose": "test"}
	if got := v.status(http.MethodPost, "/v1/anchors", "", nil); got >= http.StatusBadRequest {
		r.t.Errorf("anchoring is %d", got)
	}
	r.vault.Seal(r.t)
	refuses := func() {
		r.t.Helper()
		v.send("sealed", smallDocument).want(r.t, "depositing while Vault is sealed", keysDown)
		v.ask(http.MethodGet, "/v1/documents/"+id+"/content", nil, purpose).want(r.t, "reading while Vault is sealed",
			keysDown)
		v.ask(http.MethodGet, "/v1/documents/"+id+"/evidence?disclose=true", nil, nil).want(r.t,
			"disclosing while Vault is sealed", keysDown)
		v.goesOn(id, true)
	}
	refuses()
	v.end(syscall.SIGTERM)
	if !v.start(nil) {
		r.t.Fatalf("it does not start while Vault is sealed\n%s", v.stderr)
	}
	refuses()
	v.end(syscall.SIGKILL)
	if !v.start(nil) {
		r.t.Fatalf("it does not start while Vault is sealed\n%s", v.stderr)
	}
	refuses()
	r.unseal()
	v.recover("sealed", smallDocument)
	v.checkContent("first", id)
}

func (r *real) unseal() {
	r.t.Helper()
	r.vault.Do(r.t, http.MethodPut, "sys/unseal", "", map[string]any{"key": r.vault.UnsealKey})
}

// vaultRestarts: Vault dies under load and comes back.
func (r *real) vaultRestarts(v *victim) {
	r.t.Helper()
	r.vault.Stop(r.t)
	v.send("restart", smallDocument).want(r.t, "depositing without Vault", keysDown)
	r.vault.Restart(r.t)
	r.unseal()
	v.recover("restart", smallDocument)
}

// revoked: a token that is revoked is replaced by another login; a role whose secret is gone is an operator's matter.
func (r *real) revoked(v *victim) {
	r.t.Helper()
	r.revokeTokens()
	v.send("revoked", smallDocument).want(r.t, "depositing with a token that was revoked", taken)
	r.vault.Do(r.t, http.MethodDelete, "sys/policies/acl/muniment-gateway", r.vault.RootToken, nil)
	v.send("denied", smallDocument).want(r.t, "depositing without permission in Vault", keysRefuse)
	v.goesOn(v.acked["first"].ID, true)
	r.vault.Do(r.t, http.MethodPut, "sys/policies/acl/muniment-gateway", r.vault.RootToken,
		map[string]any{"policy": r.hcl})
	v.recover("denied", smallDocument)
}

// revokeTokens ends every token of the gateway's role.
func (r *real) revokeTokens() {
	r.t.Helper()
	list := r.vault.Do(r.t, "LIST", "auth/token/accessors", r.vault.RootToken, nil)
	n := 0
	for _, accessor := range list["data"].(map[string]any)["keys"].([]any) {
		at := map[string]any{"accessor": accessor}
		found := r.vault.Do(r.t, http.MethodPost, "auth/token/lookup-accessor", r.vault.RootToken,
			at)["data"].(map[string]any)
		if slices.Contains(found["policies"].([]any), any("muniment-gateway")) {
			r.vault.Do(r.t, http.MethodPost, "auth/token/revoke-accessor", r.vault.RootToken, at)
			n++
		}
	}
	if n == 0 {
		r.t.Error("the gateway has no token to revoke")
	}
}
