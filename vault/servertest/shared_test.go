package servertest_test

import (
	"net/http"
	"testing"

	"muniment/vault/servertest"
)

// fatal is a test that keeps the end that Fatalf would make of it to itself.
type fatal struct {
	testing.TB

	ended bool
}

func (f *fatal) Fatalf(string, ...any) { f.ended = true; panic(f) }

// ends tells whether an act ends the test by Fatalf.
func ends(t *testing.T, act func(testing.TB)) bool {
	t.Helper()
	f := &fatal{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != f {
				panic(r)
			}
		}()
		act(f)
	}()
	return f.ended
}

// Tests that share a server get the same one, and none can end it.
func TestShared(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *servertest.S3{
		"versitygw": shared.Versitygw, "minio": shared.MinIO,
	} {
		t.Run(name, func(t *testing.T) {
			first, second := start(t), start(t)
			if first != second {
				t.Error("the second test was given another server")
			}
			one, other := first.BucketName(), second.BucketName()
			c := client(t, first, first.Endpoint, "")
			makeLockedBucket(t, c, one)
			makeLockedBucket(t, c, other)
			if !ends(t, first.Stop) || !ends(t, first.Restart) {
				t.Error("a shared server can be stopped")
			}
			putObject(t, c, one, "k", "content", false)
		})
	}
}

// Tests that share a Vault have keys, roles, policies and counts of their own under the same names.
func TestSharedVault(t *testing.T) {
	t.Parallel()
	first, second := shared.Vault(t), shared.Vault(t)
	if first.Address != second.Address || first.Transit == second.Transit {
		t.Errorf("at %s and %s, with mounts %s and %s", first.Address, second.Address, first.Transit, second.Transit)
	}
	encrypt := func(v *servertest.Vault, token string, want int) {
		t.Helper()
		body := map[string]any{"plaintext": "aGVsbG8="}
		if got, answer := v.Try(t, http.MethodPost, "transit/encrypt/k", token, body); got != want {
			t.Errorf("status %d, want %d: %v", got, want, answer)
		}
	}
	first.Do(t, http.MethodPost, "transit/keys/k", first.RootToken, nil)
	status, _ := second.Try(t, http.MethodGet, "transit/keys/k", second.RootToken, nil)
	if status != http.StatusNotFound {
		t.Errorf("another test's key: status %d, want 404", status)
	}
	second.Do(t, http.MethodPost, "transit/keys/k", second.RootToken, nil)
	roleID, secretID := first.AppRole(t, "writer",
		`path "`+first.Transit+`/encrypt/k" { capabilities = ["update"] }`, nil)
	second.WritePolicy(t, "writer", `path "none" { capabilities = ["read"] }`)
	encrypt(first, first.Login(t, roleID, secretID), http.StatusOK)
	encrypt(second, first.Login(t, roleID, secretID), http.StatusForbidden)
	op := servertest.Operation{Verb: "update", Path: "transit/encrypt/k"}
	if one, other := first.Requests(t)[op], second.Requests(t)[op]; one != 1 || other != 1 {
		t.Errorf("the audit log has %d and %d encryptions, want one each", one, other)
	}
	if !ends(t, first.Seal) || !ends(t, first.Stop) || !ends(t, first.Restart) {
		t.Error("a shared Vault can be sealed or stopped")
	}
	encrypt(first, first.Login(t, roleID, secretID), http.StatusOK)
}
