package local_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"muniment/vault/keys"
	"muniment/vault/keys/local"
)

// keysets reads the key file as a stranger would, and gives the keysets of the tenant's versions.
func keysets(t *testing.T, path, tenant string) [][]byte {
	t.Helper()
	var f struct {
		Tenants map[string][]struct {
			Keyset []byte `json:"keyset"`
		} `json:"tenants"`
	}
	if err := json.Unmarshal(readFile(t, path), &f); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, v := range f.Tenants[tenant] {
		out = append(out, v.Keyset)
	}
	return out
}

// rotated is a key file whose tenant "a" has had its key rotated once, with a wrap under each version.
func rotated(t *testing.T) (svc *local.Service, path, old, living string) {
	t.Helper()
	svc, path = create(t)
	if err := svc.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	old = mustWrap(t, svc, "a", "secret")
	if _, err := svc.Rotate(t.Context(), "a", 1); err != nil {
		t.Fatal(err)
	}
	return svc, path, old, mustWrap(t, svc, "a", "secret")
}

func TestRotationIsOnDiskBeforeRotateReturns(t *testing.T) {
	_, path, old, living := rotated(t)
	again := mustOpen(t, putFile(t, readFile(t, path))) // what a crash now would leave
	for _, wrapped := range []string{old, living} {
		if got, err := unwrap(t, again, "a", wrapped); err != nil || got != "secret" {
			t.Errorf("after a crash the wrap %.9s gives %q, %v", wrapped, got, err)
		}
	}
}

func TestTrimIsOnDiskBeforeItReturns(t *testing.T) {
	svc, path, old, living := rotated(t)
	before := keysets(t, path, "a")
	if err := svc.Trim(t.Context(), "a", 2); err != nil {
		t.Fatal(err)
	}
	if after := keysets(t, path, "a"); len(before) != 2 || len(after) != 1 || !bytes.Equal(after[0], before[1]) {
		t.Errorf("a trim left %d of %d keysets", len(after), len(before))
	}
	again := mustOpen(t, putFile(t, readFile(t, path)))
	if _, err := unwrap(t, again, "a", old); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("after reopening, the trimmed version's wrap gives %v, want ErrNoKey", err)
	}
	if got, err := unwrap(t, again, "a", living); err != nil || got != "secret" {
		t.Errorf("after reopening, the living wrap gives %q, %v", got, err)
	}
}

// TestTrimOverwrites holds the old file open, as a stand-in for its freed blocks.
func TestTrimOverwrites(t *testing.T) {
	svc, path, _, _ := rotated(t)
	old, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	size := len(readFile(t, path))
	if err := svc.Trim(t.Context(), "a", 2); err != nil {
		t.Fatal(err)
	}
	left, err := io.ReadAll(old)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(left, make([]byte, size)) {
		t.Errorf("where the old file lay, there are not %d zeros but\n%s", size, left)
	}
}

func TestTrimLeavesHardLinksAlone(t *testing.T) {
	svc, path, _, _ := rotated(t)
	link := filepath.Join(filepath.Dir(path), "backup.json")
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	want := readFile(t, path)
	if err := svc.Trim(t.Context(), "a", 2); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readFile(t, link), want) {
		t.Error("a trim changed a hard link to the old file, which holds living keys too")
	}
}

func TestFailedCustodyChangesNothing(t *testing.T) {
	svc, path, old, living := rotated(t)
	before := readFile(t, path)
	if err := os.MkdirAll(filepath.Join(path+".new", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := svc.Trim(t.Context(), "a", 2); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("a trim that cannot write: %v, want ErrUnavailable", err)
	}
	if _, err := svc.Rotate(t.Context(), "a", 2); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("a rotation that cannot write: %v, want ErrUnavailable", err)
	}
	if !bytes.Equal(readFile(t, path), before) {
		t.Error("what failed changed the file")
	}
	for _, wrapped := range []string{old, living} {
		if got, err := unwrap(t, svc, "a", wrapped); err != nil || got != "secret" {
			t.Errorf("after what failed, the wrap %.9s gives %q, %v", wrapped, got, err)
		}
	}
	if err := os.RemoveAll(path + ".new"); err != nil {
		t.Fatal(err)
	}
	if err := svc.Trim(t.Context(), "a", 2); err != nil {
		t.Errorf("trimming again, when it can write: %v", err)
	}
	if err := svc.Check(t.Context()); err != nil {
		t.Errorf("Check after the trim: %v", err)
	}
}
