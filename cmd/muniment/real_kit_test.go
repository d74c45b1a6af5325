package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/proxytest"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault/keys/transit"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

// real is a versitygw and a Vault, set up as the operator's guide says, with a fault proxy in front of each.
type real struct {
	t       *testing.T
	s3      *servertest.S3
	vault   *servertest.Vault
	s3Proxy *proxytest.Proxy
	proxy   *proxytest.Proxy // in front of Vault
	hcl     string           // the gateway's policy in Vault
	dir     string
}

// The buckets of the tests.
const (
	documentsBucket = "documents"
	releaseBucket   = "release"
)

// newReal starts the servers. The gateway's role in Vault may do what the policy of the repository grants, and nothing
// else.
func newReal(t *testing.T) *real {
	t.Helper()
	r := &real{t: t, s3: servertest.Versitygw(t), vault: servertest.NewVault(t), dir: t.TempDir()}
	r.s3Proxy, r.proxy = proxytest.New(t, r.s3.Endpoint), proxytest.New(t, r.vault.Address)
	r.bucket(documentsBucket, true)
	r.bucket(releaseBucket, false)
	for _, name := range []string{"muniment-checkpoint", "muniment-ledger"} {
		r.vault.Do(t, "POST", "transit/keys/"+name, r.vault.RootToken, map[string]any{"type": "ed25519"})
	}
	r.vault.Do(t, "POST", "transit/keys/muniment-journal", r.vault.RootToken, map[string]any{"type": "aes256-gcm96"})
	policies, err := transit.Policies("", "")
	if err != nil {
		t.Fatal(err)
	}
	r.hcl = policies[0].HCL
	roleID, secretID := r.vault.AppRole(t, policies[0].Name, policies[0].HCL, nil)
	r.write("role-id", roleID)
	r.write("secret-id", secretID)
	r.write("access-key", r.s3.AccessKey)
	r.write("secret-key", r.s3.SecretKey)
	r.configure("data")
	return r
}

// bucket makes a bucket, with Object Lock or without.
func (r *real) bucket(name string, versioned bool) {
	r.t.Helper()
	made, err := s3.Open(r.t.Context(), s3.Config{
		Endpoint: r.s3.URL(), Region: r.s3.Region, Bucket: name, Credentials: s3.Static(r.s3.AccessKey, r.s3.SecretKey),
		Versioned: versioned, Create: true, Clock: journal.SystemClock{}, Rand: rand.Reader,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		r.t.Error(err)
	}
}

// put writes an object behind the program's back.
func (r *real) put(bucket, key string) {
	r.t.Helper()
	c := config.S3{
		Endpoint: r.s3.URL(), Region: r.s3.Region, Credentials: config.S3Files,
		AccessKeyFile: filepath.Join(r.dir, "access-key"), SecretKeyFile: filepath.Join(r.dir, "secret-key"),
	}
	s, err := node.OpenS3(r.t.Context(), c, bucket, false, slog.New(slog.DiscardHandler))
	if err == nil {
		_, err = s.Put(r.t.Context(), key, strings.NewReader("x"), objects.PutOptions{Length: 1})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// listing is what the first two buckets hold, but for what the server that uses them adds by itself while nobody asks
// it for anything: its history, its checkpoints and its probes.
func (r *real) listing() (all []string) {
	r.t.Helper()
	c := r.config("data").Storage.S3
	for bucket, versioned := range map[string]bool{documentsBucket: true, releaseBucket: false} {
		s, err := node.OpenS3(r.t.Context(), c, bucket, versioned, slog.New(slog.DiscardHandler))
		if err != nil {
			r.t.Fatal(err)
		}
		for info, err := range s.List(r.t.Context(), "", "") {
			if err != nil {
				r.t.Fatal(err)
			}
			first, _, _ := strings.Cut(info.Key, "/")
			if !slices.Contains([]string{"head", "batch", "lease", "muniment-checkpoint", "muniment-probe"}, first) {
				all = append(all, bucket+" "+info.Key+" "+info.Version+" "+info.Tag)
			}
		}
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
	}
	slices.Sort(all)
	return all
}

// released is what the release bucket holds. If put is given, that takes its place.
func (r *real) released(put map[string][]byte) map[string][]byte {
	r.t.Helper()
	c := r.config("data").Storage.S3
	s, err := node.OpenS3(r.t.Context(), c, releaseBucket, false, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	defer s.Close()
	bucket, was := objects.NewBucket(s), map[string][]byte{}
	names, err := bucket.List(r.t.Context(), "")
	for _, name := range names {
		if was[name], _, err = bucket.Get(r.t.Context(), name); err != nil {
			r.t.Fatal(err)
		}
		if put != nil {
			if err := bucket.Delete(r.t.Context(), name); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	for name, raw := range put {
		if _, err = bucket.Put(r.t.Context(), name, raw, ""); err != nil {
			r.t.Fatal(err)
		}
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return was
}

func (r *real) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// configure writes NAME.yaml, with a data folder NAME of its own. Waiting is short: what is tested is that it ends.
func (r *real) configure(name string) (path string) {
	r.t.Helper()
	roleID, err := os.ReadFile(filepath.Join(r.dir, "role-id"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(name+".yaml", fmt.Sprintf(`
data: %s
storage:
  kind: s3
  s3:
    endpoint: %s
    region: %s
    bucket: %s
    release_bucket: %s
    part_size: 5MiB
    stream_size: 8MiB
    timeout: 2s
    patience: 3s
    credentials: files
    access_key_file: access-key
    secret_key_file: secret-key
keys:
  kind: vault
  vault:
    address: %s
    auth: approle
    role_id: %s
    secret_id_file: secret-id
    timeout: 2s
    patience: 4s
    ahead: 0 # each deposit asks Vault itself
limits:
  release: 3s
  requests: 0
`, name, r.s3Proxy.URL(), r.s3.Region, documentsBucket, releaseBucket, r.proxy.URL(), roleID))
	return filepath.Join(r.dir, name+".yaml")
}

// config is a configuration, read and checked.
func (r *real) config(name string) config.Config {
	r.t.Helper()
	cfg, err := config.Load(filepath.Join(r.dir, name+".yaml"), func(string) string { return "" })
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cfg.Check(); err != nil {
		r.t.Fatal(err)
	}
	return cfg
}

// foundNode founds the tenant of a server that has just been made, by two persons of the test.
func foundNode(t *testing.T, s *node.Server) *remote.Pair {
	t.Helper()
	f := s.Node.Founding
	if f == nil {
		t.Fatal("the server begins on trial")
	}
	pair, err := remote.FoundAsPair(t.Context(), s.URL(), f.Administrator.Code.Reveal(), f.Approver.Code.Reveal(),
		remote.NewTransport(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pair.Close)
	return pair
}

// victim is a server over all this that a test may kill.
func (r *real) victim() *victim {
	r.t.Helper()
	v := newVictim(r.t, "muniment")
	v.dir, v.config = filepath.Join(r.dir, "data"), filepath.Join(r.dir, "data.yaml")
	return v
}
