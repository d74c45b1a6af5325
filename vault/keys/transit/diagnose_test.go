package transit_test

import (
	"net/http"
	"strings"
	"testing"

	"muniment/vault/keys"
	"muniment/vault/keys/transit"
)

// faulty gives the names of the findings that are not in order, and fails the test if one lacks what a person needs.
func faulty(t *testing.T, findings []transit.Finding) map[string]transit.Finding {
	t.Helper()
	out := map[string]transit.Finding{}
	for _, f := range findings {
		if f.Name == "" || f.Detail == "" || f.OK != (f.Fix == "") {
			t.Errorf("a finding lacks something: %+v", f)
		}
		if !f.OK {
			out[f.Name] = f
		}
	}
	return out
}

// checkFinding fails the test unless just that finding is not in order, with the text in it.
func checkFinding(t *testing.T, findings []transit.Finding, name, text string) {
	t.Helper()
	bad := faulty(t, findings)
	f, found := bad[name]
	if len(bad) != 1 || !found || !strings.Contains(f.Detail+" "+f.Fix, text) {
		t.Errorf("not in order: %+v; want %s with %q", bad, name, text)
	}
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	k := newOwnKit(t)
	svc := k.gateway(t)
	for _, tenant := range []string{"default", "second"} {
		if err := svc.CreateTenant(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	good := svc.Diagnose(t.Context(), []string{"default", "second"})
	if bad := faulty(t, good); len(bad) > 0 || len(good) != 9 {
		t.Errorf("%d findings, of which not in order: %+v", len(good), bad)
	}

	checkFinding(t, svc.Diagnose(t.Context(), []string{"default", "third"}), "key of tenant third", "no such key")

	k.do(t, http.MethodPost, "transit/keys/muniment-tenant-default/config", map[string]any{"exportable": true})
	checkFinding(t, svc.Diagnose(t.Context(), []string{"default", "second"}), "key of tenant default", "exported")
	k.do(t, http.MethodPost, "transit/keys/muniment-tenant-second/config", map[string]any{"deletion_allowed": true})
	checkFinding(t, svc.Diagnose(t.Context(), []string{"second"}), "key of tenant second", "deletion_allowed=false")

	k.do(t, http.MethodPost, "transit/keys/muniment-journal/config", map[string]any{"deletion_allowed": true})
	checkFinding(t, svc.Diagnose(t.Context(), nil), "journals' key", "deletion_allowed=false")
	k.do(t, http.MethodDelete, "transit/keys/muniment-journal", nil)
	checkFinding(t, svc.Diagnose(t.Context(), nil), "journals' key",
		"vault write -f transit/keys/muniment-journal type=aes256-gcm96")
	k.do(t, http.MethodPost, "transit/keys/muniment-journal", map[string]any{"type": "aes256-gcm96"})

	k.do(t, http.MethodPost, "transit/keys/muniment-ledger/config", map[string]any{"deletion_allowed": true})
	k.do(t, http.MethodDelete, "transit/keys/muniment-ledger", nil)
	checkFinding(t, svc.Diagnose(t.Context(), nil), "ledger key",
		"vault write -f transit/keys/muniment-ledger type=ed25519")

	k.vault.Seal(t)
	checkFinding(t, svc.Diagnose(t.Context(), nil), "transit engine", "unseal")
	k.vault.Unseal(t)
}

func TestDiagnoseLogins(t *testing.T) {
	t.Parallel()
	k := newOwnKit(t)
	cfg := k.config(t, nil)

	root := cfg
	root.Auth = rootAuth(t, k)
	checkFinding(t, mustOpen(t, root).Diagnose(t.Context(), nil), "separation of duties",
		"update on "+k.vault.Transit+"/keys/muniment-tenant-example/rotate")

	lacking := cfg
	hcl := strings.Replace(k.policy(t, "muniment-gateway"), `"transit/rewrap`, `"none/rewrap`, 1)
	lacking.Auth = transit.Auth{Method: transit.Token, Token: keys.Secret(k.vault.Token(t, "lacking", hcl, nil))}
	checkFinding(t, mustOpen(t, lacking).Diagnose(t.Context(), nil), "permissions",
		"update on "+k.vault.Transit+"/rewrap/muniment-tenant-example")

	k.vault.Stop(t)
	checkFinding(t, mustOpen(t, cfg).Diagnose(t.Context(), []string{"default"}), "login", "start or unseal")
}

func TestDiagnoseSaysWhenATrimWasBrokenOff(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.custodian(t).Rotate(t.Context(), "default", 1); err != nil {
		t.Fatal(err)
	}
	k.do(t, http.MethodPost, "transit/keys/muniment-tenant-default/config", map[string]any{"min_decryption_version": 2})
	findings := svc.Diagnose(t.Context(), []string{"default"})
	if last := findings[len(findings)-1]; !last.OK || !strings.Contains(last.Detail, "repeat it") {
		t.Errorf("after a broken trim: %+v", last)
	}
}

func TestCheckNamesTheMount(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	if err := svc.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.do(t, http.MethodDelete, "sys/mounts/"+k.vault.Transit, nil)
	checkIs(t, "Check without a Transit engine", svc.Check(t.Context()), keys.ErrDenied,
		"vault secrets enable -path="+k.vault.Transit)
}
