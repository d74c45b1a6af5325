package transit_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAnOlderCopyOfVaultOpensWhatWasTrimmed is why the guide says that a destruction needs the older copies of the key
// service's storage destroyed, too: Vault's storage as it was before a trim, put back afterwards, has the versions that
// the trim has destroyed.
func TestAnOlderCopyOfVaultOpensWhatWasTrimmed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Vault of its own")
	}
	k := newOwnKit(t)
	svc, custodian := k.gateway(t), k.custodian(t)
	if err := svc.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	erased := mustWrap(t, svc, "default", canary)
	opens := func() bool {
		t.Helper()
		got, err := svc.Unwrap(t.Context(), "default", []string{erased})
		if err != nil {
			t.Fatal(err)
		}
		return got[0].Err == nil && string(got[0].Secret) == canary
	}
	if _, err := custodian.Rotate(t.Context(), "default", 1); err != nil {
		t.Fatal(err)
	}
	before := filepath.Join(t.TempDir(), "before")
	k.exchange(t, func() error { return os.CopyFS(before, os.DirFS(k.vault.Dir)) })
	if !opens() {
		t.Error("it does not open before the trim")
	}
	if err := custodian.Trim(t.Context(), "default", 2); err != nil {
		t.Fatal(err)
	}
	if opens() {
		t.Error("it opens after the trim")
	}
	k.exchange(t, func() error {
		entries, err := os.ReadDir(k.vault.Dir)
		for _, entry := range entries {
			if err == nil {
				err = os.RemoveAll(filepath.Join(k.vault.Dir, entry.Name()))
			}
		}
		if err == nil {
			err = os.CopyFS(k.vault.Dir, os.DirFS(before))
		}
		return err
	})
	if !opens() {
		t.Error("with the older copy of Vault's storage it does not open: the guide says that it does")
	}
}

// exchange works on Vault's storage while it is sealed.
func (k *kit) exchange(t *testing.T, work func() error) {
	t.Helper()
	k.vault.Seal(t)
	if err := work(); err != nil {
		t.Fatal(err)
	}
	k.vault.Unseal(t)
}
