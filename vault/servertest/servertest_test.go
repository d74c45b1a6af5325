package servertest_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/anchor/processtest"
	"muniment/anchor/proxytest"
	"muniment/vault/servertest"
)

var shared servertest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// Servers, with and without TLS, come back with what they held after a crash.
func TestS3(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(servertest.Options, testing.TB) *servertest.S3{
		"versitygw": servertest.Options.Versitygw, "minio": servertest.Options.MinIO,
	} {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%t", name, tls), func(t *testing.T) {
				s := start(servertest.Options{TLS: tls, Region: "eu-north-1"}, t)
				c := client(t, s, s.Endpoint, s.CAFile)
				makeLockedBucket(t, c, "bucket")
				version := putObject(t, c, "bucket", "k", "content", name == "minio")
				s.Stop(t)
				if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Endpoint); err == nil {
					conn.Close()
					t.Error("a server that was stopped takes connections")
				}
				s.Restart(t)
				c = client(t, s, s.Endpoint, s.CAFile)
				if got := getObject(t, c, "bucket", "k", version); got != "content" {
					t.Errorf("after the restart the object is %q", got)
				}
			})
		}
	}
}

// The options that leave something out do so.
func TestS3LeavesOut(t *testing.T) {
	t.Parallel()
	t.Run("versioning", func(t *testing.T) {
		s := servertest.Options{NoVersioning: true}.Versitygw(t)
		c := client(t, s, s.Endpoint, "")
		makeLockedBucket(t, c, "bucket")
		if err := c.EnableVersioning(t.Context(),
			"bucket"); minio.ToErrorResponse(err).StatusCode != http.StatusNotImplemented {
			t.Errorf("enabling versions: %v, want a refusal", err)
		}
	})
	t.Run("kms", func(t *testing.T) {
		s := servertest.Options{NoKMS: true}.MinIO(t)
		c := client(t, s, s.Endpoint, "")
		makeLockedBucket(t, c, "bucket")
		if _, err := tryPut(t, c, "bucket", "k", "content", true); err == nil {
			t.Error("it encrypts without a key")
		}
	})
}

// A proxy is as good as the server to a client that signs its requests.
func TestS3ByProxy(t *testing.T) {
	t.Parallel()
	s := shared.Versitygw(t)
	plain, tls := proxytest.New(t, s.URL()), proxytest.NewTLS(t, s.Endpoint)
	bucket := s.BucketName()
	makeLockedBucket(t, client(t, s, plain.Address, ""), bucket)
	for _, p := range []*proxytest.Proxy{plain, tls} {
		c := client(t, s, p.Address, p.CAFile())
		content := strings.Repeat("content ", 1<<20)
		version := putObject(t, c, bucket, "a key/with ünusual %2F characters", content, false)
		if got := getObject(t, c, bucket, "a key/with ünusual %2F characters", version); got != content {
			t.Errorf("%s: the object has %d bytes, want %d", p.URL(), len(got), len(content))
		}
	}
}

func TestVault(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", tls), func(t *testing.T) {
			v := servertest.Options{TLS: tls}.Vault(t)
			v.Do(t, http.MethodPost, "transit/keys/k", v.RootToken, nil)
			encrypt := func(want int) {
				t.Helper()
				body := map[string]any{"plaintext": "aGVsbG8="}
				if got, answer := v.Try(t, http.MethodPost, "transit/encrypt/k", v.RootToken, body); got != want {
					t.Errorf("status %d, want %d: %v", got, want, answer)
				}
			}
			encrypt(http.StatusOK)
			v.Seal(t)
			encrypt(http.StatusServiceUnavailable)
			v.Unseal(t)
			encrypt(http.StatusOK)
			v.Stop(t)
			v.Restart(t)
			encrypt(http.StatusServiceUnavailable)
			v.Unseal(t)
			encrypt(http.StatusOK)
			if got := v.Requests(t)[servertest.Operation{Verb: "update", Path: "transit/encrypt/k"}]; got != 3 {
				t.Errorf("the audit log has %d encryptions, want 3", got)
			}
		})
	}
}

func TestVaultCredentials(t *testing.T) {
	t.Parallel()
	v := servertest.NewVault(t)
	v.Do(t, http.MethodPost, "transit/keys/k", v.RootToken, nil)
	const policy = `path "transit/encrypt/k" { capabilities = ["update"] }`
	roleID, secretID := v.AppRole(t, "writer", policy, map[string]any{"token_ttl": "1h"})
	for name, token := range map[string]string{
		"AppRole": v.Login(t, roleID, secretID), "token": v.Token(t, "other", policy, map[string]any{"ttl": "1h"}),
	} {
		try := func(path string, want int) {
			t.Helper()
			body := map[string]any{"plaintext": "aGVsbG8="}
			if got, _ := v.Try(t, http.MethodPost, path, token, body); got != want {
				t.Errorf("%s: %s: status %d, want %d", name, path, got, want)
			}
		}
		try("transit/encrypt/k", http.StatusOK)
		try("transit/decrypt/k", http.StatusForbidden)
		v.Revoke(t, token)
		try("transit/encrypt/k", http.StatusForbidden)
	}
}

// A server dies with the test binary, even one that has no time for its cleanups.
func TestServerEndsWithItsTest(t *testing.T) {
	t.Parallel()
	const told = "SERVERTEST_DIES"
	if file := os.Getenv(told); file != "" {
		s := servertest.Versitygw(t)
		if err := os.WriteFile(file, []byte(s.Endpoint), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Exit(0) // the point is to leave without cleaning up
	}
	file := filepath.Join(t.TempDir(), "endpoint")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$")
	again.Env = append(os.Environ(), told+"="+file, "TMPDIR="+filepath.Dir(file)) // what it leaves goes with this test
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	endpoint, err := os.ReadFile(file)
	if err != nil {
		t.Skip("the test of it was skipped, for the reason that TestS3 gives")
	}
	processtest.Await(t, "the server has ended", func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", string(endpoint))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}
