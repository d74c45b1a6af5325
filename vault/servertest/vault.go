package servertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muniment/anchor/processtest"
)

// Vault is a running, initialized and unsealed HashiCorp Vault with the Transit engine at transit/, the AppRole method
// at auth/approle/ and a file audit device. It keeps its data in files; the nodes of a VaultCluster keep theirs by
// Raft.
type Vault struct {
	Address   string // "http://127.0.0.1:49153"
	CAFile    string // PEM of the CA that its certificate is of; "" without TLS
	RootToken string
	UnsealKey string // the only share
	AuditLog  string // the file of its audit device: one JSON object a line, a request and a response each
	Dir       string // its storage

	Transit      string // where its Transit engine is mounted
	AppRoleMount string // where its AppRole method is mounted, below auth/

	*processtest.Process

	client     *http.Client
	part       string // begins the names and paths that are one test's in a shared Vault: "test-3/"; "" otherwise
	auditBegin int64  // of the audit log: what was written before does not count
}

// NewVault starts a Vault.
func NewVault(t testing.TB) *Vault {
	t.Helper()
	return Options{}.Vault(t)
}

// Vault starts one with options.
func (o Options) Vault(t testing.TB) *Vault {
	t.Helper()
	v := o.vault(t, "")
	v.initialize(t)
	v.Unseal(t)
	v.enable(t)
	return v
}

// vault starts a server that is not initialized: a node of a cluster, under a name, or if that is "" a single one.
func (o Options) vault(t testing.TB, node string) *Vault {
	t.Helper()
	program := processtest.Program(t, "vault")
	var cert *processtest.Certificate
	if o.TLS {
		cert = processtest.NewCertificate(t)
	}
	endpoint, files := processtest.Reserve(t), t.TempDir()
	v := &Vault{
		Address: cert.Scheme() + "://" + endpoint, CAFile: cert.CAFile(), Dir: t.TempDir(),
		AuditLog: filepath.Join(files, "audit.log"), Transit: "transit", AppRoleMount: "approle",
		client: cert.Client(t),
	}
	listener := map[string]any{"address": endpoint, "tls_disable": cert == nil}
	if cert != nil {
		listener["tls_cert_file"], listener["tls_key_file"] = cert.Cert, cert.Key
	}
	config := map[string]any{
		"listener": map[string]any{"tcp": listener},
		"storage":  map[string]any{"file": map[string]any{"path": v.Dir}},
		"api_addr": v.Address, "disable_mlock": true,
	}
	if node != "" {
		cluster := processtest.Reserve(t)
		listener["cluster_address"], config["cluster_addr"] = cluster, "https://"+cluster
		config["storage"] = map[string]any{"raft": raftStorage(v.Dir, node)}
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatalf("configuring vault: %v", err)
	}
	file := filepath.Join(files, "vault.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatalf("configuring vault: %v", err)
	}
	v.Process = processtest.Start(t, processtest.Command{
		Name: "vault", Path: program, Args: []string{"server", "-config", file},
		Env: processtest.Environment(files), Dir: files, Log: filepath.Join(files, "vault.log"),
		Probe: v.Address + "/v1/sys/health", Client: v.client, Shared: o.shared,
	})
	return v
}

// initialize makes the root token and the unseal key.
func (v *Vault) initialize(t testing.TB) {
	t.Helper()
	made := v.Do(t, http.MethodPut, "sys/init", "", map[string]any{"secret_shares": 1, "secret_threshold": 1})
	v.RootToken = made["root_token"].(string)
	v.UnsealKey = made["keys_base64"].([]any)[0].(string)
}

// enable mounts what the tests use.
func (v *Vault) enable(t testing.TB) {
	t.Helper()
	device := map[string]any{"type": "file", "options": map[string]any{"file_path": v.AuditLog}}
	v.Do(t, http.MethodPut, "sys/audit/file", v.RootToken, device)
	v.mount(t)
}

// mount mounts the Transit engine and the AppRole method.
func (v *Vault) mount(t testing.TB) {
	t.Helper()
	v.Do(t, http.MethodPost, "sys/mounts/"+v.Transit, v.RootToken, map[string]any{"type": "transit"})
	v.Do(t, http.MethodPost, "sys/auth/"+v.AppRoleMount, v.RootToken, map[string]any{"type": "approle"})
}

// Seal seals it: until Unseal it answers every other call with 503.
func (v *Vault) Seal(t testing.TB) {
	t.Helper()
	v.MustNotBeShared(t, "sealing")
	v.Do(t, http.MethodPut, "sys/seal", v.RootToken, nil)
}

// Unseal unseals it and returns when it serves again. Also after Restart.
func (v *Vault) Unseal(t testing.TB) {
	t.Helper()
	v.unseal(t)
	v.awaitServing(t)
}

func (v *Vault) unseal(t testing.TB) {
	t.Helper()
	v.Do(t, http.MethodPut, "sys/unseal", "", map[string]any{"key": v.UnsealKey})
}

func (v *Vault) awaitServing(t testing.TB) {
	t.Helper()
	processtest.Await(t, "vault serves after its unsealing", func() bool {
		health := v.health(t)
		return health == http.StatusOK || health == http.StatusTooManyRequests // active, or standby in a cluster
	})
}

// awaitActive returns when it is the node that answers for all.
func (v *Vault) awaitActive(t testing.TB) {
	t.Helper()
	processtest.Await(t, "vault is active", func() bool { return v.health(t) == http.StatusOK })
}

// health is the status of sys/health: 200 active, 429 standby, 503 sealed; 0 when the server does not answer.
func (v *Vault) health(t testing.TB) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	status, _, err := v.call(ctx, http.MethodGet, "sys/health", "", nil)
	if err != nil {
		return 0
	}
	return status
}

// WritePolicy makes or replaces a policy.
func (v *Vault) WritePolicy(t testing.TB, name, hcl string) {
	t.Helper()
	v.Do(t, http.MethodPut, "sys/policies/acl/"+v.policyName(name), v.RootToken, map[string]any{"policy": hcl})
}

// policyName is what Vault calls a policy: for a test in a shared Vault a name of the test's own.
func (v *Vault) policyName(name string) string { return strings.ReplaceAll(v.part, "/", "-") + name }

// AppRole makes a role whose tokens have a policy and nothing more, writing that policy first under the role's name.
// Settings are further parameters of the role, such as token_ttl; nil for none. Login takes what is returned.
func (v *Vault) AppRole(t testing.TB, name, hcl string, settings map[string]any) (roleID, secretID string) {
	t.Helper()
	v.WritePolicy(t, name, hcl)
	role := map[string]any{"token_policies": []string{v.policyName(name)}, "token_no_default_policy": true}
	for key, value := range settings {
		role[key] = value
	}
	path := "auth/approle/role/" + name
	v.Do(t, http.MethodPost, path, v.RootToken, role)
	id := v.Do(t, http.MethodGet, path+"/role-id", v.RootToken, nil)
	secret := v.Do(t, http.MethodPost, path+"/secret-id", v.RootToken, nil)
	return text(t, id, "data", "role_id"), text(t, secret, "data", "secret_id")
}

// Login gives a token of an AppRole.
func (v *Vault) Login(t testing.TB, roleID, secretID string) string {
	t.Helper()
	made := v.Do(t, http.MethodPost, "auth/approle/login", "", map[string]any{"role_id": roleID, "secret_id": secretID})
	return text(t, made, "auth", "client_token")
}

// text is a field of an answer's object.
func text(t testing.TB, answer map[string]any, object, field string) string {
	t.Helper()
	within, _ := answer[object].(map[string]any)
	value, ok := within[field].(string)
	if !ok {
		t.Fatalf("vault's answer has no %s.%s", object, field)
	}
	return value
}

// Token makes a token with one policy, which is written first under that name. Settings are further parameters of
// auth/token/create-orphan, such as explicit_max_ttl; nil for none.
func (v *Vault) Token(t testing.TB, policy, hcl string, settings map[string]any) string {
	t.Helper()
	v.WritePolicy(t, policy, hcl)
	body := map[string]any{"policies": []string{v.policyName(policy)}, "no_default_policy": true}
	for key, value := range settings {
		body[key] = value
	}
	return text(t, v.Do(t, http.MethodPost, "auth/token/create-orphan", v.RootToken, body), "auth", "client_token")
}

// Revoke ends a token at once.
func (v *Vault) Revoke(t testing.TB, token string) {
	t.Helper()
	v.Do(t, http.MethodPost, "auth/token/revoke", v.RootToken, map[string]any{"token": token})
}

// String names it without its secrets.
func (v *Vault) String() string { return fmt.Sprintf("vault at %s", v.Address) }
