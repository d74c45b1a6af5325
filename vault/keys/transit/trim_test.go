package transit_test

import (
	"net/http"
	"testing"

	"muniment/vault/keys"
)

// A trim destroys what it was asked to and nothing else: a minimum that somebody has raised further makes versions
// unreadable until it is lowered again, and living documents may need them.
func TestTrimSparesWhatIsOnlyRetired(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc, custodian := k.gateway(t), k.custodian(t)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	rotate := func(from int) {
		t.Helper()
		if _, err := custodian.Rotate(t.Context(), "default", from); err != nil {
			t.Fatal(err)
		}
	}
	rotate(1)
	living := mustWrap(t, svc, "default", canary)
	rotate(2)
	config := func(oldest int) {
		t.Helper()
		k.do(t, http.MethodPost, "transit/keys/muniment-tenant-default/config",
			map[string]any{"min_decryption_version": oldest})
	}
	config(3)
	for _, oldest := range []int{1, 2, 2} {
		if err := custodian.Trim(t.Context(), "default", oldest); err != nil {
			t.Fatal(err)
		}
		if v, err := svc.Versions(t.Context(), "default"); err != nil ||
			v != (keys.Versions{Newest: 3, Oldest: 3, Kept: oldest}) {
			t.Errorf("after a trim to %d the versions are %+v, %v", oldest, v, err)
		}
	}
	config(2)
	got, err := svc.Unwrap(t.Context(), "default", []string{living})
	if err != nil || got[0].Err != nil || string(got[0].Secret) != canary {
		t.Errorf("what version 2 wrapped does not unwrap any more: %v, %v", err, got)
	}
}
