package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/cmd/muniment/config"
)

// production is a configuration with everything on servers.
const production = `
data: data
storage:
  kind: s3
  s3:
    endpoint: https://s3.example.org
    bucket: documents
    release_bucket: release
    ca: pki/ca.pem
    style: path
    lock: governance
    part_size: 16MiB
    encryption: sse-kms
    kms_key: key-1
    credentials: files
    access_key_file: /run/secrets/s3-id
    secret_key_file: /run/secrets/s3
keys:
  kind: vault
  trim_after: 45d
  vault:
    address: https://vault.example.org:8200
    auth: approle
    role_id: role
    secret_id_file: secrets/id
`

func TestServices(t *testing.T) {
	path := write(t, production)
	got, err := config.Load(path, none)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
	folder := filepath.Dir(path)
	want := config.Default()
	want.Data = filepath.Join(folder, "data")
	want.Storage = config.Storage{Kind: config.StorageS3, S3: config.S3{
		Endpoint: "https://s3.example.org", Region: "us-east-1", Bucket: "documents", ReleaseBucket: "release",
		CA: filepath.Join(folder, "pki/ca.pem"), Style: "path", Lock: "governance", PartSize: 16 << 20,
		StreamSize: 256 << 20,
		Timeout:    want.Storage.S3.Timeout, RetryTime: want.Storage.S3.RetryTime,
		Encryption: "sse-kms", KMSKey: "key-1", Credentials: "files", AccessKeyFile: "/run/secrets/s3-id",
		SecretKeyFile: "/run/secrets/s3",
	}}
	want.Keys.Kind, want.Keys.TrimAfter = config.KeysVault, config.Duration(45*24*time.Hour)
	want.Keys.Vault.Address, want.Keys.Vault.Auth = "https://vault.example.org:8200", config.AuthAppRole
	want.Keys.Vault.RoleID, want.Keys.Vault.SecretIDFile = "role", filepath.Join(folder, "secrets/id")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	files := got.SecretFiles()
	slices.Sort(files)
	if diff := cmp.Diff([]string{"/run/secrets/s3", filepath.Join(folder, "secrets/id")}, files); diff != "" {
		t.Errorf("files with secrets (-want +got):\n%s", diff)
	}
}

// TestPathsInVariablesAreRelativeToTheWorkingDirectory: only those in the file go by the file.
func TestPathsInVariablesAreRelativeToTheWorkingDirectory(t *testing.T) {
	got, err := config.Load(write(t, "listen: 127.0.0.1:1"), func(name string) string {
		if name == "MUNIMENT_KEYS_VAULT_TOKEN_FILE" {
			return "token"
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Keys.Vault.TokenFile != "token" || got.Data != config.Default().Data {
		t.Errorf("the token file is %s and the data folder %s", got.Keys.Vault.TokenFile, got.Data)
	}
}

// TestServicesRefuse: each message names the field and what to write.
func TestServicesRefuse(t *testing.T) {
	for _, test := range []struct{ name, from, to, want string }{
		{"unknown storage", "kind: s3", "kind: tape", `storage.kind: "tape" is unknown; write folder or s3`},
		{"s3 without kind", "  kind: s3\n", "", "storage.kind: is folder, but storage.s3 is configured"},
		{"no endpoint", "    endpoint: https://s3.example.org\n", "",
			"storage.s3.endpoint: \"\" is no server's URL; write it like https://"},
		{"in the clear", "https://s3.example.org", "http://s3.example.org",
			"storage.s3.endpoint: would send credentials in the clear"},
		{"with a path", "https://s3.example.org", "https://s3.example.org/documents",
			"holds more than scheme, host and port"},
		{"one bucket for both", "release_bucket: release", "release_bucket: documents", "make another"},
		{"no bucket's name", "bucket: documents", "bucket: My_Documents", "is no bucket's name"},
		{"lock", "lock: governance", "lock: none", "write compliance or governance"},
		{"style", "style: path", "style: virtual", "write auto, path or host"},
		{"part size", "part_size: 16MiB", "part_size: 1MiB", "must be 5MiB to 128MiB"},
		{"KMS key without KMS", "encryption: sse-kms", "encryption: sse-s3", "goes with encryption sse-kms"},
		{"KMS without key", "    kms_key: key-1\n", "", "goes with encryption sse-kms"},
		{"credentials", "credentials: files", "credentials: password",
			"write environment, files, shared-file, web-identity or ambient"},
		{"no secret key", "    secret_key_file: /run/secrets/s3\n", "",
			"storage.s3.secret_key_file: is empty; storage.s3.credentials is files"},
		{"another's credentials", "credentials: files", "credentials: environment",
			"storage.s3.access_key_file: goes with storage.s3.credentials files"},
		{"unknown keys", "kind: vault", "kind: kms", `keys.kind: "kms" is unknown; write file or vault`},
		{"vault without kind", "  kind: vault\n", "", "keys.kind: is file, but keys.vault is configured"},
		{"no waiting", "trim_after: 45d", "trim_after: 1h", "must be a day or longer"},
		{"no role", "    role_id: role\n", "",
			"keys.vault.role_id: is empty; keys.vault.auth is approle, which needs it"},
		{"token beside approle", "auth: approle", "auth: token",
			"keys.vault.role_id: goes with keys.vault.auth approle"},
		{"auth", "auth: approle", "auth: ldap", "write token, approle or kubernetes"},
		{"a password in the address", "https://vault", "https://me:hunter2@vault",
			"keys.vault.address: holds more than"},
		{"near miss", "release_bucket:", "relase_bucket:", "did you mean storage.s3.release_bucket?"},
		{"near miss of a group", "  s3:\n", "  s2:\n", "did you mean storage.s3?"},
		{"a secret in the file", "secret_key_file: /run/secrets/s3", "secret_key: abc", `there is no key "secret_key"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(production, test.from, test.to, 1)
			if text == production {
				t.Fatal("the test changes nothing")
			}
			c, err := config.Load(write(t, text), none)
			if err == nil {
				err = c.Check()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("message:\n%v\nwant in it: %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message has the password:\n%v", err)
			}
		})
	}
}

func TestSecretFilesAreForTheirOwner(t *testing.T) {
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o440: true, 0o640: true, 0o644: false,
		0o604: false, 0o660: false} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		err := config.CheckSecretFile(path)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if err := config.CheckSecretFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there passes")
	}
}

func TestDaysAreDurations(t *testing.T) {
	for text, want := range map[string]string{"30d": "30d", "24h": "1d", "0d": "0s", "1h30m": "1h30m", "90s": "1m30s",
		"36h": "36h", "10m": "10m"} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%s reads as %s, %v; want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"d", "-1d", "1.5d", "999999999999d"} {
		if err := new(config.Duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}
