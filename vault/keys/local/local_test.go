package local_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault/keys"
	"muniment/vault/keys/keystest"
	"muniment/vault/keys/local"
)

var _ journal.Signer = (*local.Signer)(nil)

// create makes a key file in a folder of its own.
func create(t *testing.T) (svc *local.Service, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys.json")
	svc, err := local.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, svc) })
	return svc, path
}

func mustClose(t *testing.T, svc *local.Service) {
	t.Helper()
	if err := svc.Close(); err != nil {
		t.Error(err)
	}
}

// mustOpen opens the file and closes it with the test.
func mustOpen(t *testing.T, path string) *local.Service {
	t.Helper()
	svc, err := local.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, svc) })
	return svc
}

func mustWrap(t *testing.T, svc keys.Service, tenant, secret string) string {
	t.Helper()
	wrapped, err := svc.Wrap(t.Context(), tenant, []keys.Secret{keys.Secret(secret)})
	if err != nil {
		t.Fatal(err)
	}
	return wrapped[0]
}

func unwrap(t *testing.T, svc keys.Service, tenant, wrapped string) (string, error) {
	t.Helper()
	got, err := svc.Unwrap(t.Context(), tenant, []string{wrapped})
	if err != nil {
		t.Fatal(err)
	}
	return string(got[0].Secret), got[0].Err
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// putFile writes a key file as somebody else might have.
func putFile(t *testing.T, raw []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformance(t *testing.T) {
	keystest.Run(t, func(t *testing.T) (keys.Service, keys.Custodian) {
		svc, _ := create(t)
		return svc, svc
	})
}

func TestConformanceReopened(t *testing.T) {
	keystest.Run(t, func(t *testing.T) (keys.Service, keys.Custodian) {
		svc, path := create(t)
		mustClose(t, svc)
		svc = mustOpen(t, path)
		return svc, svc
	})
}

func TestOpenNeverCreates(t *testing.T) {
	dir := t.TempDir()
	if _, err := local.Open(filepath.Join(dir, "keys.json")); !errors.Is(err, local.ErrMissing) {
		t.Errorf("opening where nothing is: %v, want ErrMissing", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("opening where nothing is left %v behind, %v", left, err)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	svc, path := create(t)
	mustClose(t, svc)
	before := readFile(t, path)
	if _, err := local.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating over a key file: %v, want fs.ErrExist", err)
	}
	if !bytes.Equal(readFile(t, path), before) {
		t.Error("creating over a key file changed it")
	}
	mustOpen(t, path) // and gave its lock back
}

func TestModeIsEnforced(t *testing.T) {
	svc, path := create(t)
	mustClose(t, svc)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Fatalf("Create left mode %v, %v", info.Mode(), err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o644, 0o700, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := local.Open(path); !errors.Is(err, local.ErrMode) {
			t.Errorf("opening a file of mode %v: %v, want ErrMode", mode, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, odd := range []string{link, folder} {
		if _, err := local.Open(odd); !errors.Is(err, local.ErrMode) {
			t.Errorf("opening %s: %v, want ErrMode", filepath.Base(odd), err)
		}
	}
	mustOpen(t, path)
}

func TestOneProcessAtATime(t *testing.T) {
	svc, path := create(t)
	for name, open := range map[string]func(string) (*local.Service, error){"Open": local.Open,
		"Create": local.Create} {
		if _, err := open(path); !errors.Is(err, local.ErrLocked) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s of an open file: %v, want ErrLocked with the path", name, err)
		}
	}
	mustClose(t, svc)
	mustOpen(t, path)
}

func TestTenantIsOnDiskBeforeCreateTenantReturns(t *testing.T) {
	svc, path := create(t)
	if err := svc.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	copied := putFile(t, readFile(t, path)) // what a crash now would leave
	wrapped := mustWrap(t, svc, "a", "secret")
	if got, err := unwrap(t, mustOpen(t, copied), "a", wrapped); err != nil || got != "secret" {
		t.Errorf("after a crash the wrap gives %q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the rewritten file has mode %v, %v", info.Mode(), err)
	}
}

func TestFailedWriteChangesNothing(t *testing.T) {
	svc, path := create(t)
	if err := svc.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, path)
	obstacle := path + ".new"
	if err := os.MkdirAll(filepath.Join(obstacle, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := svc.CreateTenant(t.Context(), "b"); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("CreateTenant that cannot write: %v, want ErrUnavailable", err)
	}
	if _, err := svc.Wrap(t.Context(), "b", []keys.Secret{keys.Secret("x")}); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("wrapping with a key that is not on disk: %v, want ErrNoKey", err)
	}
	if !bytes.Equal(readFile(t, path), before) {
		t.Error("the failed write changed the file")
	}
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	if err := svc.CreateTenant(t.Context(), "c"); err != nil {
		t.Errorf("CreateTenant when it can write again: %v", err)
	}
	if strings.Contains(string(readFile(t, path)), `"b"`) {
		t.Error("the tenant whose creation failed was written with the next")
	}
	if err := svc.CreateTenant(t.Context(), "b"); err != nil {
		t.Errorf("CreateTenant again, when it can write: %v", err)
	}
}

func TestCrashLeftoverIsReplaced(t *testing.T) {
	svc, path := create(t)
	if err := os.WriteFile(path+".new", []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := svc.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the leftover is still there: %v", err)
	}
	mustClose(t, svc)
	mustOpen(t, path)
}

func TestChangedFileIsNoticed(t *testing.T) {
	changes := map[string]func(path string) error{
		"deleted":  os.Remove,
		"changed":  func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) },
		"readable": func(path string) error { return os.Chmod(path, 0o644) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			svc, path := create(t)
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			if err := svc.Check(t.Context()); !errors.Is(err, local.ErrChanged) ||
				!errors.Is(err, keys.ErrUnavailable) {
				t.Errorf("Check: %v, want ErrChanged and ErrUnavailable", err)
			}
			if err := svc.CreateTenant(t.Context(), "a"); !errors.Is(err, local.ErrChanged) {
				t.Errorf("CreateTenant: %v, want ErrChanged", err)
			}
		})
	}
}

func TestTenantNames(t *testing.T) {
	svc, path := create(t)
	for _, bad := range []string{"", "\xff", strings.Repeat("x", 257)} {
		if err := svc.CreateTenant(t.Context(), bad); err == nil {
			t.Errorf("a tenant named %.10q was created", bad)
		}
	}
	good := []string{"default", "<&>\u2028", "Ämter/1", `"`, strings.Repeat("x", 256)}
	wrapped := map[string]string{}
	for _, name := range good {
		if err := svc.CreateTenant(t.Context(), name); err != nil {
			t.Fatalf("creating a tenant named %.10q: %v", name, err)
		}
		wrapped[name] = mustWrap(t, svc, name, "secret of "+name)
	}
	mustClose(t, svc)
	again := mustOpen(t, path)
	for _, name := range good {
		if got, err := unwrap(t, again, name, wrapped[name]); err != nil || got != "secret of "+name {
			t.Errorf("after reopening, the wrap of %.10q gives %q, %v", name, got, err)
		}
	}
}

func TestSigners(t *testing.T) {
	svc, path := create(t)
	public := map[string][]byte{}
	for _, name := range []string{local.Checkpoint, local.Ledger} {
		signer, err := svc.Signer(name)
		if err != nil {
			t.Fatal(err)
		}
		public[name] = signer.PublicKey()
	}
	if bytes.Equal(public[local.Checkpoint], public[local.Ledger]) {
		t.Error("both signers have the same key")
	}
	if _, err := svc.Signer("other"); !errors.Is(err, local.ErrNoSigner) {
		t.Errorf("an unknown signer: %v, want ErrNoSigner", err)
	}
	if err := svc.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, svc)
	again := mustOpen(t, path)
	for name, want := range public {
		signer, err := again.Signer(name)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := signer.Sign(t.Context(), []byte("message"))
		if err != nil || !ed25519.Verify(want, []byte("message"), signature) {
			t.Errorf("after reopening, the %s key's signature does not verify: %v", name, err)
		}
	}
}

func TestClosed(t *testing.T) {
	svc, _ := create(t)
	mustClose(t, svc)
	ctx := t.Context()
	_, wrapErr := svc.Wrap(ctx, "a", []keys.Secret{keys.Secret("x")})
	_, unwrapErr := svc.Unwrap(ctx, "a", []string{"x"})
	_, rewrapErr := svc.Rewrap(ctx, "a", []string{"x"})
	_, versionsErr := svc.Versions(ctx, "a")
	_, rotateErr := svc.Rotate(ctx, "a", 1)
	_, signerErr := svc.Signer(local.Checkpoint)
	for what, err := range map[string]error{
		"CreateTenant": svc.CreateTenant(ctx, "a"), "Wrap": wrapErr, "Unwrap": unwrapErr, "Check": svc.Check(ctx),
		"Rewrap": rewrapErr, "Versions": versionsErr, "Rotate": rotateErr, "Trim": svc.Trim(ctx, "a", 1),
		"Signer": signerErr,
	} {
		if !errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("%s after Close: %v, want ErrUnavailable", what, err)
		}
	}
}

func TestNothingIsPrinted(t *testing.T) {
	svc, path := create(t)
	signer, err := svc.Signer(local.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s"} {
		if got := fmt.Sprintf(verb, svc) + fmt.Sprintf(verb, signer); got != "[local keys][signer]" {
			t.Errorf("under %s: %s", verb, got)
		}
	}
	const canary = "canary-00"
	for _, raw := range []string{canary, `{"version":1,"` + canary + `":1}`, `{"version":"` + canary + `"}`,
		`{"version":1,"signers":"` + canary + `"}`,
		`{"version":1,"signers":{"checkpoint":"` + canary + `"},"tenants":{}}`,
		strings.Replace(string(readFile(t, path)), `"tenants": {}`, `"tenants": {"`+canary+`":[]}`, 1),
	} {
		if _, err := local.Open(putFile(t, []byte(raw))); !errors.Is(err, local.ErrFile) ||
			strings.Contains(err.Error(), canary) {
			t.Errorf("opening %s: %v, want ErrFile without what the file holds", raw, err)
		}
	}
}
