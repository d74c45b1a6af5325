package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Credentials in files are read again when they change, under a running store.
func TestCredentialsInFiles(t *testing.T) {
	t.Parallel()
	server := shared.Versitygw(t)
	bucket := server.BucketName()
	open(t, config(t, server, bucket, true))
	access, secret := filepath.Join(t.TempDir(), "access"), filepath.Join(t.TempDir(), "secret")
	profiles := filepath.Join(t.TempDir(), "credentials")
	profile := func(secret string) string {
		return fmt.Sprintf("[default]\naws_access_key_id=x\naws_secret_access_key=y\n"+
			"[muniment]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
			server.AccessKey, secret)
	}
	for name, c := range map[string]struct {
		credentials s3.Credentials
		set         func(secret string)
	}{
		"two files": {s3.Files(access, secret), func(key string) {
			write(t, access, server.AccessKey+"\n")
			write(t, secret, "  "+key+"\n")
		}},
		"a shared file": {s3.SharedFile(profiles, "muniment"), func(key string) { write(t, profiles, profile(key)) }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, server, bucket, true)
			cfg.Credentials = c.credentials
			store, err := s3.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if err := store.Check(t.Context()); !errors.Is(err, objects.ErrUnavailable) {
				t.Errorf("without files: %v, want ErrUnavailable", err)
			}
			c.set("not the secret")
			if err := store.Check(t.Context()); !errors.Is(err, objects.ErrUnavailable) ||
				strings.Contains(err.Error(), "not the secret") {
				t.Errorf("with a wrong secret: %v, want ErrUnavailable", err)
			}
			c.set(server.SecretKey)
			if err := store.Check(t.Context()); err != nil {
				t.Errorf("with the right one: %v", err)
			}
			c.set("changed again")
			if err := store.Check(t.Context()); !errors.Is(err, objects.ErrUnavailable) {
				t.Errorf("with a wrong secret again: %v, want ErrUnavailable", err)
			}
		})
	}
}

func TestCredentialsInTheEnvironment(t *testing.T) {
	server := shared.Versitygw(t)
	bucket := server.BucketName()
	open(t, config(t, server, bucket, true))
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	for name, c := range map[string]s3.Credentials{"environment": s3.Environment(), "ambient": s3.Ambient()} {
		cfg := config(t, server, bucket, true)
		cfg.Credentials = c
		open(t, cfg)
		for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", cfg),
			fmt.Sprintf("%#v", s3.Static("a", "hidden"))} {
			if strings.Contains(text, server.SecretKey) || strings.Contains(text, "hidden") {
				t.Errorf("%s: credentials print as %s", name, text)
			}
		}
	}
}

// identities stands in for a security token service that takes web identity tokens: none can be had here without an
// identity provider. It notes the tokens, and gives what MinIO's own service gives for a key: credentials that end,
// with a session.
func identities(t *testing.T, server *servertest.S3, tokens *[]string, lifetime time.Duration) *httptest.Server {
	t.Helper()
	stand := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ParseForm() != nil || r.Form.Get("Action") != "AssumeRoleWithWebIdentity" ||
			r.Form.Get("RoleArn") != "arn:x" {
			http.Error(w, "not what was expected", http.StatusBadRequest)
			return
		}
		*tokens = append(*tokens, r.Form.Get("WebIdentityToken"))
		granted, err := credentials.NewSTSAssumeRole(server.URL(), credentials.STSAssumeRoleOptions{
			AccessKey: server.AccessKey, SecretKey: server.SecretKey, Location: server.Region,
		})
		if err != nil {
			t.Error(err)
			return
		}
		value, err := granted.GetWithContext(nil)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
			<AssumeRoleWithWebIdentityResult><Credentials>
			<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>
			<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
			</AssumeRoleWithWebIdentityResponse>`,
			value.AccessKeyID, value.SecretAccessKey, value.SessionToken,
			time.Now().Add(lifetime).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(stand.Close)
	return stand
}

// A web identity token is exchanged for credentials, and read again for the next ones when those are about to end.
func TestWebIdentity(t *testing.T) {
	t.Parallel()
	server := shared.MinIO(t)
	bucket := server.BucketName()
	open(t, config(t, server, bucket, true))
	for lifetime, want := range map[time.Duration][]string{time.Hour: {"first"}, 0: {"first", "second"}} {
		var tokens []string
		token := filepath.Join(t.TempDir(), "token")
		cfg := config(t, server, bucket, true)
		cfg.Credentials = s3.WebIdentity(identities(t, server, &tokens, lifetime).URL, "arn:x", token)
		store, err := s3.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if _, err := store.Stat(t.Context(), "a", ""); !errors.Is(err, objects.ErrUnavailable) {
			t.Errorf("without a token: %v, want ErrUnavailable", err)
		}
		for _, next := range []string{"first", "second"} {
			write(t, token, next+"\n")
			if err := store.Check(t.Context()); err != nil {
				t.Errorf("with the %s token: %v", next, err)
			}
		}
		if got := slices.Compact(tokens); !slices.Equal(got, want) {
			t.Errorf("credentials that last %v: the service was given %v, want %v", lifetime, got, want)
		}
	}
}
