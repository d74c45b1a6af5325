package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/cmd/muniment/node"
	"muniment/openapi"
	"muniment/vault/keys/transit"
	"muniment/vault/rekey"
)

// TestRealKeyLife leads a key in Vault through its life by the command line: the server's own login may not act on it,
// the key custodian's may.
func TestRealKeyLife(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	cfg := r.config("data")
	cfg.Listen, cfg.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Keys.TrimAfter = 1 // less than the configuration lets anybody wait
	s, err := node.Listen(t.Context(), cfg, slog.New(slog.DiscardHandler), node.OpenStorage)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(5 * time.Second); err != nil {
			t.Error(err)
		}
	})
	s.Serve()
	pair := foundNode(t, s)
	person := func(token string) keeper {
		return keeper{t, map[string]string{"MUNIMENT_URL": s.URL(), "MUNIMENT_TOKEN": token}}
	}
	added := func(roles ...openapi.GrantRole) keeper {
		var grants []openapi.Grant
		for _, role := range roles {
			grants = append(grants, openapi.Grant{Role: role})
		}
		one, err := pair.Add(t.Context(), fmt.Sprint("Somebody with ", roles), grants)
		if err != nil {
			t.Fatal(err)
		}
		return person(one.Key)
	}
	owner, custodian, second := added("depositor", "reader"), added("key_custodian"), person(pair.ApproverKey)
	custodian.env["VAULT_ADDR"], custodian.env["VAULT_CACERT"] = r.vault.Address, r.vault.CAFile
	paper := filepath.Join(t.TempDir(), "paper.txt")
	if err := os.WriteFile(paper, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, ok := owner.run(nil, "put", paper, "--external-id", "paper"); !ok {
		t.Fatal(said)
	}

	if said, ok := custodian.run(nil, "key", "rotate"); ok || !strings.Contains(said, "VAULT_TOKEN") {
		t.Errorf("rotating without a token for Vault: %s", said)
	}
	custodian.env["VAULT_TOKEN"] = r.vault.Token(t, "another-gateway", r.hcl, nil)
	if said, ok := custodian.run(nil, "key", "rotate"); ok {
		t.Errorf("the gateway's policy lets a token rotate: %s", said)
	}
	policies, err := transit.Policies("", "")
	if err != nil {
		t.Fatal(err)
	}
	custodian.env["VAULT_TOKEN"] = r.vault.Token(t, policies[1].Name, policies[1].HCL, nil)
	var rotation openapi.Rotation
	if said, ok := custodian.run(&rotation, "key", "rotate"); !ok || rotation.Version != 2 {
		t.Fatalf("rotating: %+v: %s", rotation, said)
	}
	var rewrap openapi.Rewrap
	if said, ok := custodian.run(&rewrap, "key", "rewrap"); !ok || rewrap.Rewrapped < 2 {
		t.Fatalf("rewrapping: %+v: %s", rewrap, said)
	}
	recordAll(t, s, pair.AdministratorKey)
	var trim openapi.Trim
	if said, ok := custodian.run(&trim, "key", "trim", "propose"); !ok {
		t.Fatal(said)
	}
	if said, ok := second.run(nil, "key", "trim", "approve", trim.ID); !ok {
		t.Fatal(said)
	}
	id, of := trim.ID, s.Node.Journal.ID().String()
	for _, flags := range [][]string{
		nil, {"--oldest", "2"}, {"--oldest", "1", "--journal", of},
		{"--oldest", "2", "--journal", of, "--tenant", "other"},
		{"--oldest", "2", "--journal", "0190b5a0-7c1e-7000-8000-0000000000a0"},
	} {
		if said, ok := custodian.run(nil, append([]string{"key", "trim", "run", id}, flags...)...); ok ||
			!strings.Contains(said, "--oldest") &&
				!strings.Contains(said, "nothing was destroyed") {
			t.Errorf("trimming with %v: %s", flags, said)
		}
	}
	if said, ok := custodian.run(&trim, "key", "trim", "run", id, "--oldest", "2", "--journal", of); !ok ||
		trim.State != openapi.TrimStateDone {
		t.Fatalf("trimming: %+v: %s", trim, said)
	}
	answer := r.vault.Do(t, http.MethodGet, "transit/keys/muniment-tenant-"+of+"-default", r.vault.RootToken, nil)
	key, _ := answer["data"].(map[string]any)
	if got := fmt.Sprint(key["min_available_version"], key["min_decryption_version"],
		key["latest_version"]); got != "2 2 2" {
		t.Errorf("Vault has the versions %s", got)
	}
	var status openapi.KeyStatus
	if said, ok := custodian.run(&status, "key", "status"); !ok || status.Custody != openapi.Elsewhere ||
		status.Oldest != 2 {
		t.Errorf("the key is %+v: %s", status, said)
	}
	copied := filepath.Join(t.TempDir(), "copy.txt")
	if said, ok := owner.run(nil, "get", "--external-id", "paper", "--purpose", "audit", "--to", copied); !ok {
		t.Fatal(said)
	}
	if content, err := os.ReadFile(copied); err != nil || string(content) != "kept" {
		t.Errorf("after the trim the document is %q, error %v", content, err)
	}
}

// recordAll puts on record that a backup holds all that there is.
func recordAll(t *testing.T, s *node.Server, administrator string) {
	t.Helper()
	ctx := t.Context()
	who, err := s.Node.Authority().AuthenticateNow(ctx, administrator)
	if err != nil {
		t.Fatal(err)
	}
	size := s.Node.Journal.Size()
	root, err := s.Node.Journal.RootAt(ctx, size)
	if err == nil {
		_, err = s.Node.Keys.RecordBackup(ctx, who, rekey.Backup{Size: size, Root: root})
	}
	if err != nil {
		t.Fatal(err)
	}
}
