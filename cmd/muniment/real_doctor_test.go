package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"muniment/anchor/processtest"
	"muniment/anchor/proxytest"
	"muniment/cmd/muniment/cli"
	"muniment/openapi"
	"muniment/vault/keys/transit"
)

// examined runs the doctor over a configuration, as a program with these variables, and returns its lines and exit
// code.
func examined(t *testing.T, env []string, args ...string) ([]checkLine, int) {
	t.Helper()
	stdout, stderr, code := ran(t, env, append([]string{"doctor", "-o", "json"}, args...)...)
	var lines []checkLine
	if err := json.Unmarshal([]byte(stdout), &lines); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	return lines, code
}

// ran runs the program for a minute at most. It is not run within the test: a program that another test starts would
// hold the locks of its data folder between fork and exec.
func ran(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	program, err := exec.LookPath("muniment")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var out, errs strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// failures are the lines that say fail, as a person reads them.
func failures(lines []checkLine) string {
	var out strings.Builder
	for _, l := range lines {
		if l.State == "fail" {
			fmt.Fprintf(&out, "%s: %s → %s\n", l.Check, l.Found, l.Next)
		}
	}
	return out.String()
}

// started runs serve over a configuration until it ends, as one does that cannot start; what it says goes to standard
// error.
func started(t *testing.T, path string) string {
	t.Helper()
	_, said, code := ran(t, nil, "serve", "--config", path, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	if code != cli.ExitFailed {
		t.Errorf("serve ends with %d: it has started", code)
	}
	return said
}

// stateOf is that of a line, and what was found.
func stateOf(lines []checkLine, check string) string {
	for _, l := range lines {
		if l.Check == check {
			return l.State + ": " + l.Found
		}
	}
	return "there is no line " + check
}

// TestRealDoctor follows a vault on S3 and HashiCorp Vault from its buckets on: before its first start, while it is
// served, and after that.
func TestRealDoctor(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	path := r.configure("data")
	text := strings.NewReplacer("bucket: documents",
		"bucket: new-documents", "release_bucket: release", "release_bucket: new-release").Replace(read(t, path))
	r.write("data.yaml", text)
	check := func(when string, lines []checkLine, code int, want map[string]string) {
		t.Helper()
		if found := failures(lines); found != "" || code != cli.ExitDone {
			t.Errorf("%s, exit code %d:\n%s", when, code, found)
		}
		for check, text := range want {
			if got := stateOf(lines, check); !strings.HasPrefix(got, text) {
				t.Errorf("%s: %s: %s; want %s", when, check, got, text)
			}
		}
	}
	if lines, code := examined(t, nil, "--config", path); code != cli.ExitFailed ||
		!strings.Contains(failures(lines), "there is no such bucket") {
		t.Errorf("without buckets, exit code %d:\n%s", code, failures(lines))
	}
	lines, code := examined(t, nil, "--config", path, "--create-buckets")
	check("before the first start", lines, code, map[string]string{
		"configuration": "ok", "data folder": "warn: there is no ",
		"release bucket":                     "ok: new-release is there, keeps no versions",
		"release bucket: conditional writes": "ok", "documents' store": "ok: new-documents is there",
		"journal":             "ok: there is none yet",
		"attestation":         "ok: a locked version can be neither deleted, shortened nor overwritten",
		"key service: server": "ok: Vault 1.21.1, unsealed",
		"key service: login":  "ok", "key service: permissions": "ok", "key service: checkpoint key": "ok",
	})
	v := r.victim()
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	admin := adminOf(v)
	lines, code = examined(t, []string{"MUNIMENT_ADMIN_LISTEN=" + admin}, "--config", path, "--url", v.url, "--token",
		v.token)
	check("while it is served", lines, code, map[string]string{
		"server: journal": "ok", "server: release": "ok", "server: keys": "ok", "server: objects": "ok",
		"journal":                            "ok",
		"key service: key of tenant default": "ok", "data folder: mode": "ok: 0700",
		"data folder: syncs": "ok",
	})
	if got := stateOf(lines, "attestation"); !strings.HasPrefix(got, "ok") || !strings.Contains(got, "on record at ") {
		t.Errorf("attestation: %s", got)
	}
	r.immutable(v)
	v.end(syscall.SIGTERM)
	lines, code = examined(t, []string{"MUNIMENT_ADMIN_LISTEN=" + admin}, "--config", path)
	check("after that", lines, code,
		map[string]string{"server": "ok: none answers", "journal": "ok"})
	if err := os.Remove(filepath.Join(v.dir, "journal.db")); err != nil {
		t.Fatal(err)
	}
	lines, code = examined(t, []string{"MUNIMENT_ADMIN_LISTEN=" + admin}, "--config", path)
	check("without its journal", lines, code, map[string]string{"journal": "warn: there is no journal.db"})
}

// TestRealTokenLife: a token that will end whatever the server does is named before it has.
func TestRealTokenLife(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	path := r.configure("token")
	text := strings.Replace(read(t, path), "auth: approle", "auth: token", 1)
	text = strings.Replace(text, "    role_id: "+read(t,
		filepath.Join(r.dir, "role-id"))+"\n    secret_id_file: secret-id", "    token_file: token", 1)
	r.write("token.yaml", text)
	begun := regexp.MustCompile(`59m\d+s`)
	for name, c := range map[string]struct {
		token map[string]any
		want  string
	}{
		"periodic": {map[string]any{"period": "1h"},
			"ok: it ends in 1h0m0s unless it is renewed, which the server does"},
		"not renewable": {map[string]any{"ttl": "1h", "renewable": false},
			"warn: it ends in 1h0m0s and cannot be renewed"},
		"with an end": {map[string]any{"period": "1h", "explicit_max_ttl": "24h"},
			"warn: it ends in 1h0m0s unless it is renewed, which its greatest age"},
	} {
		r.write("token", r.vault.Token(t, "muniment-gateway", r.policy("", ""), c.token))
		lines, _ := examined(t, nil, "--config", path)
		// The hour has begun before the doctor looks.
		got := begun.ReplaceAllString(stateOf(lines, "key service: token"), "1h0m0s")
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
		if got := stateOf(lines, "key service: login"); !strings.HasPrefix(got, "ok") {
			t.Errorf("%s: login: %s", name, got)
		}
	}
	r.write("token", r.vault.RootToken)
	lines, code := examined(t, nil, "--config", path)
	if got := stateOf(lines, "key service: token"); !strings.HasPrefix(got, "warn: it never ends") {
		t.Errorf("the root token: %s", got)
	}
	if got := stateOf(lines, "key service: separation of duties"); code != cli.ExitFailed ||
		!strings.HasPrefix(got, "fail: our login may do what only the key custodian should") {
		t.Errorf("the root token, exit code %d: %s", code, got)
	}
}

// adminOf is the address that a server has told its log.
func adminOf(v *victim) string {
	v.t.Helper()
	var address string
	processtest.Await(v.t, "the log tells the admin address", func() bool {
		_, rest, told := strings.Cut(v.stderr.String(), "admin=http://")
		admin, _, whole := strings.Cut(rest, " ")
		address = admin
		return told && whole
	})
	return address
}

// immutable shows that a store which was seen to enforce its locks may take documents of a series that demands it.
func (r *real) immutable(v *victim) {
	r.t.Helper()
	remote := r.remote(v)
	yes := true
	if _, err := remote.CreateSeries(r.t.Context(), openapi.NewSeries{Code: "worm", Immutable: &yes}); err != nil {
		r.t.Fatal(err)
	}
	res, body := v.call(http.MethodPost, "/v1/documents?series=worm", []byte("x"), nil)
	if res == nil || res.StatusCode != http.StatusCreated {
		r.t.Errorf("depositing where immutability is demanded: %s", body)
	}
}

// spoiled is a configuration with a mistake in it.
type spoiled struct {
	name    string
	replace []string // old and new texts of the configuration
	prepare func(*real) (undo func())
	doctor  []string // what the doctor's failures must have in them
	serve   []string // what serve must say
}

// TestRealMistakes: with each mistake that an operator makes, the doctor and the start-up name the thing and what to
// do.
func TestRealMistakes(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	r.moreBuckets()
	r.bucket("spare", false)
	tls := proxytest.NewTLS(t, r.s3.Endpoint)
	vaultTLS := proxytest.NewTLS(t, r.vault.Address)
	token := r.vault.Token(t, "muniment-gateway", r.policy("", ""), nil)
	r.write("token", token)
	r.write("other-secret", "wrong")
	lacking := strings.Replace(r.policy("", ""), `path "transit/encrypt/`, `path "transit/elsewhere/`, 1)
	roleID, secretID := r.vault.AppRole(t, "lacking", lacking, nil)
	r.write("lacking-secret", secretID)
	r.vault.Do(t, "POST", "transit/keys/aes-checkpoint", r.vault.RootToken, map[string]any{"type": "aes256-gcm96"})
	aesRole, aesSecret := r.vault.AppRole(t, "aes", r.policy("", "aes"), nil)
	r.write("aes-secret", aesSecret)
	role := "role_id: " + read(t, filepath.Join(r.dir, "role-id"))
	for _, c := range []spoiled{
		{name: "wrong-bucket", replace: []string{"bucket: documents", "bucket: nosuch"},
			doctor: []string{"documents' store: ", "/nosuch: there is no such bucket", "→ make it, or name another"},
			serve:  []string{"/nosuch: there is no such bucket", "make it, or name another"}},
		{name: "wrong-release-bucket", replace: []string{"release_bucket: release", "release_bucket: nosuch"},
			doctor: []string{"release bucket: ", "/nosuch: there is no such bucket", "→ make it, or name another"},
			serve:  []string{"/nosuch: there is no such bucket", "make it, or name another"}},
		{name: "no-versioning", replace: []string{"bucket: documents", "bucket: plain"},
			doctor: []string{"/plain: the bucket has no versioning", "→ turn versioning and Object Lock on"},
			serve:  []string{"/plain: the bucket has no versioning", "turn versioning and Object Lock on"}},
		{name: "no-lock", replace: []string{"bucket: documents", "bucket: versioned"},
			doctor: []string{"/versioned: the bucket has no Object Lock", "→ turn Object Lock on"},
			serve:  []string{"/versioned: the bucket has no Object Lock", "turn Object Lock on"}},
		{name: "release-with-versions", replace: []string{"release_bucket: release", "release_bucket: versioned"},
			doctor: []string{"/versioned: the bucket keeps versions", "→ name a bucket that never had versioning"},
			serve:  []string{"/versioned: the bucket keeps versions", "name a bucket that never had versioning"}},
		{name: "wrong-region", replace: []string{"region: us-east-1", "region: eu-central-1"},
			doctor: []string{"the bucket is in another region than eu-central-1", "→ set the region of the bucket"},
			serve:  []string{"the bucket is in another region than eu-central-1", "set the region of the bucket"}},
		{name: "wrong-secret-key", replace: []string{"secret_key_file: secret-key", "secret_key_file: other-secret"},
			doctor: []string{"it does not accept the credentials", "→ check access key and secret"},
			serve:  []string{"it does not accept the credentials", "check access key and secret"}},
		{name: "no-secret-key", replace: []string{"secret_key_file: secret-key", "secret_key_file: nosuch-file"},
			doctor: []string{"configuration: secrets: ", "nosuch-file", "→ put the file there"},
			serve:  []string{"nosuch-file"}},
		{name: "untrusted-store", replace: []string{r.s3Proxy.URL(), tls.URL()},
			doctor: []string{"TLS: S3: ", "→ name the file with its authority's certificate in storage.s3.ca",
				"its certificate is not trusted"},
			serve: []string{"its certificate is not trusted", "CA file"}},
		{name: "unreachable-store", replace: []string{r.s3Proxy.URL(), "http://127.0.0.1:1"},
			doctor: []string{"127.0.0.1:1/documents: it cannot be reached", "→ check host, port and scheme"},
			serve:  []string{"it cannot be reached", "check host, port and scheme"}},
		{name: "clock-skew", replace: []string{r.s3Proxy.URL(),
			skewed(t, "http://"+r.s3.Endpoint, 20*time.Minute+30*time.Second)},
			doctor: []string{"clock: S3: its clock differs from this machine's by 20m",
				"→ set both clocks by the same time service"},
			serve: []string{"its clock differs from this machine's by 20m",
				"set both clocks by the same time service"}},
		{name: "clock-skew-of-vault", replace: []string{r.proxy.URL(),
			skewed(t, r.vault.Address, -time.Hour-30*time.Second)},
			doctor: []string{"clock: Vault: its clock differs from this machine's by -1h0m", "→ set both clocks"}},
		{name: "no-mount", replace: []string{"keys:\n  kind: vault\n  vault:",
			"keys:\n  kind: vault\n  vault:\n    mount: nosuch"},
			doctor: []string{"key service: login and keys: ", "nosuch/keys/",
				"vault secrets enable -path=nosuch transit"},
			serve: []string{"nosuch/keys/", "the policy of our login lacks"}},
		{name: "no-permission", replace: []string{
			role, "role_id: " + roleID, "secret-id", "lacking-secret", "release_bucket: release",
			"release_bucket: spare",
		},
			doctor: []string{"key service: permissions: ", "lacks update on transit/encrypt/",
				"→ give our login the gateway's policy"},
			serve: []string{"the policy of our login lacks update on transit/encrypt/"}},
		{name: "wrong-key-type", replace: []string{
			role, "role_id: " + aesRole, "secret-id", "aes-secret", "auth: approle", "auth: approle\n    prefix: aes",
		},
			doctor: []string{"key service: ", "aes-checkpoint", "ed25519"},
			serve:  []string{"aes-checkpoint", "ed25519"}},
		{name: "wrong-role", replace: []string{role, "role_id: nosuch"},
			doctor: []string{"key service: ", "login", "role"},
			serve:  []string{"login", "role"}},
		{name: "untrusted-vault", replace: []string{r.proxy.URL(), vaultTLS.URL()},
			doctor: []string{"TLS: Vault: ", "→ name the file with its authority's certificate in keys.vault.ca"},
			serve:  []string{"certificate"}},
		{name: "revoked-token", replace: []string{"auth: approle", "auth: token",
			"    " + role + "\n    secret_id_file: secret-id", "    token_file: token"},
			prepare: func(r *real) func() { r.vault.Revoke(t, token); return func() {} },
			doctor:  []string{"key service: ", "token"},
			serve:   []string{"token"}},
		{name: "store-hangs",
			prepare: func(r *real) func() {
				return r.s3Proxy.Inject(proxytest.Fault{Kind: proxytest.Hang, Times: -1}).Remove
			},
			doctor: []string{"release bucket: ", "documents' store: ", "it cannot be reached",
				"→ check host, port and scheme"},
			serve: []string{"it cannot be reached", "check host, port and scheme"}},
		{name: "vault-down",
			prepare: func(r *real) func() { r.proxy.Down(); return r.proxy.Up },
			doctor: []string{"key service: server: ",
				"→ see that it runs, and that address, port and the network between are right"},
			serve: []string{"the key service is not available"}},
		{name: "sealed",
			prepare: func(r *real) func() { r.vault.Seal(t); return func() { r.vault.Unseal(t) } },
			doctor:  []string{"key service: server: Vault 1.21.1 is sealed", "→ vault operator unseal"},
			serve:   []string{"sealed"}},
	} {
		t.Run(c.name, func(t *testing.T) { r.mistake(t, c) })
	}
}

// mistake makes one.
func (r *real) mistake(t *testing.T, c spoiled) {
	text := read(t, r.configure(c.name))
	for i := 0; i < len(c.replace); i += 2 {
		changed := strings.ReplaceAll(text, c.replace[i], c.replace[i+1])
		if changed == text {
			t.Fatalf("the configuration has no %q", c.replace[i])
		}
		text = changed
	}
	if c.name != "store-hangs" { // a slow machine is no mistake
		text = strings.ReplaceAll(text, "timeout: 2s", "timeout: 20s")
	}
	r.write(c.name+".yaml", text)
	if c.prepare != nil {
		defer c.prepare(r)()
	}
	path := filepath.Join(r.dir, c.name+".yaml")
	lines, code := examined(t, nil, "--config", path)
	found := failures(lines)
	for _, want := range c.doctor {
		if !strings.Contains(found, want) {
			t.Errorf("the doctor's failures:\n%swant in them: %s", found, want)
		}
	}
	if code != cli.ExitFailed {
		t.Errorf("the doctor ends with %d", code)
	}
	if len(c.serve) == 0 {
		return
	}
	said := started(t, path)
	for _, want := range c.serve {
		if !strings.Contains(said, want) {
			t.Errorf("serve says:\n%swant in it: %s", said, want)
		}
	}
}

// moreBuckets makes one without versions and one with versions and no locks.
func (r *real) moreBuckets() {
	r.t.Helper()
	client, err := minio.New(r.s3.Endpoint,
		&minio.Options{Creds: credentials.NewStaticV4(r.s3.AccessKey, r.s3.SecretKey, "")})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{"plain", "versioned"} {
		if err := client.MakeBucket(r.t.Context(), name, minio.MakeBucketOptions{Region: r.s3.Region}); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := client.EnableVersioning(r.t.Context(), "versioned"); err != nil {
		r.t.Fatal(err)
	}
}

// policy is the gateway's.
func (r *real) policy(mount, prefix string) string {
	r.t.Helper()
	policies, err := transit.Policies(mount, prefix)
	if err != nil {
		r.t.Fatal(err)
	}
	return policies[0].HCL
}

// skewed is a server whose clock is wrong by so much: it passes everything on, and says another time.
func skewed(t *testing.T, target string, by time.Duration) string {
	t.Helper()
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", strings.TrimPrefix(target, "http://")
			r.Out.URL.RawQuery, r.Out.Host = r.In.URL.RawQuery, r.In.Host
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
			return nil
		},
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkLine is a line of the doctor's, as a program reads it.
type checkLine struct{ Check, State, Found, Next string }
