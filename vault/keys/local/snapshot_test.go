package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/vault/keys"
	"muniment/vault/keys/local"
)

// TestSnapshot: it unwraps beside the process that has the file open, and changes nothing.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	if _, err := local.Read(path); !errors.Is(err, local.ErrMissing) {
		t.Errorf("reading no file: %v, want ErrMissing", err)
	}
	s, err := local.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	wrapped, err := s.Wrap(t.Context(), "default", []keys.Secret{[]byte("secret")})
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := local.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := snapshot.Unwrap(t.Context(), "default", wrapped)
	if err != nil || opened[0].Err != nil || string(opened[0].Secret) != "secret" {
		t.Errorf("unwrapping: %v, %v", opened, err)
	}
	_, rotating := snapshot.Rotate(t.Context(), "default", 1)
	for what, err := range map[string]error{
		"creating": snapshot.CreateTenant(t.Context(), "other"), "rotating": rotating,
		"trimming": snapshot.Trim(t.Context(), "default", 1),
	} {
		if !errors.Is(err, keys.ErrDenied) {
			t.Errorf("%s says %v, want ErrDenied", what, err)
		}
	}
	if err := snapshot.Close(); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("the file has changed (-before +after):\n%s", diff)
	}
	if _, err := s.Rotate(t.Context(), "default", 1); err != nil {
		t.Errorf("the process that has it open: %v", err)
	}
}
