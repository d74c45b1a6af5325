package s3_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/anchor/journal"
	"muniment/anchor/proxytest"
	"muniment/vault/budget"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

// skewed is a clock that is wrong.
type skewed time.Duration

func (s skewed) Now() time.Time { return time.Now().Add(time.Duration(s)) }

// Each thing that can be wrong with a configuration or its bucket is named, with what to do about it.
func TestVerify(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			r := &rig{T: t, server: server}
			good := config(t, server, server.BucketName(), true)
			open(t, good) // makes it, and waits for the server
			plain, versions, rule := server.BucketName(), server.BucketName(), server.BucketName()
			open(t, config(t, server, plain, false))
			client := r.client()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(client.MakeBucket(t.Context(), versions, minio.MakeBucketOptions{}))
			must(client.EnableVersioning(t.Context(), versions))
			must(client.MakeBucket(t.Context(), rule, minio.MakeBucketOptions{ObjectLocking: true}))
			must(client.EnableVersioning(t.Context(), rule))
			mode, validity, unit := minio.Compliance, uint(1), minio.Days
			must(client.SetBucketObjectLockConfig(t.Context(), rule, &mode, &validity, &unit))
			missing := filepath.Join(t.TempDir(), "missing")

			for what, c := range map[string]struct {
				change   func(*s3.Config)
				says, do string
			}{
				"wrong bucket": {func(c *s3.Config) { c.Bucket = "none" }, "there is no such bucket", "make it"},
				"no versioning": {func(c *s3.Config) { c.Bucket = plain }, "has no versioning",
					"turn versioning"},
				"no lock": {func(c *s3.Config) { c.Bucket = versions }, "has no Object Lock",
					"turn Object Lock on"},
				"a default rule": {func(c *s3.Config) { c.Bucket = rule }, "by a default retention rule",
					"remove the rule"},
				"versions not wanted": {func(c *s3.Config) { c.Bucket, c.Versioned = versions, false },
					"keeps versions", "name a bucket that never had"},
				"a lock not wanted": {func(c *s3.Config) { c.Versioned = false }, "keeps versions",
					"name a bucket that never had"},
				"wrong region": {func(c *s3.Config) { c.Region = "eu-west-7" },
					"in another region than eu-west-7", "set the region"},
				"wrong secret": {func(c *s3.Config) { c.Credentials = s3.Static(server.AccessKey, "another") },
					"does not accept the credentials", "check access key"},
				"wrong access key": {func(c *s3.Config) { c.Credentials = s3.Static("nobody", server.SecretKey) },
					"does not accept the credentials", "check access key"},
				"no credentials": {func(c *s3.Config) { c.Credentials = s3.Files(missing, missing) },
					"there are no credentials", "give an access key"},
				"slow clock": {func(c *s3.Config) { c.Clock = skewed(-time.Hour) },
					"clock differs from this machine's", "the same time service"},
				"fast clock": {func(c *s3.Config) { c.Clock = skewed(10 * time.Minute) },
					"clock differs from this machine's", "the same time service"},
				"nobody there": {func(c *s3.Config) { c.Endpoint = "http://127.0.0.1:1" }, "cannot be reached",
					"check host, port and scheme"},
				"no such host": {func(c *s3.Config) { c.Endpoint = "http://nowhere.invalid" },
					"cannot be reached", "check host, port and scheme"},
				"TLS where is none": {func(c *s3.Config) { c.Endpoint = "https://" + server.Endpoint },
					"cannot be reached", "check host, port and scheme"},
			} {
				cfg := good
				cfg.Create, cfg.RetryTime, cfg.Timeout = false, 100*time.Millisecond, 2*time.Second
				c.change(&cfg)
				store, err := s3.Open(t.Context(), cfg)
				if err == nil {
					t.Errorf("%s: the bucket was taken", what)
					store.Close()
					continue
				}
				var wrong *s3.SetupError
				if !errors.As(err, &wrong) || !strings.Contains(wrong.What, c.says) ||
					!strings.Contains(wrong.Fix, c.do) {
					t.Errorf("%s: %v, want %q and %q", what, err, c.says, c.do)
				}
				host := strings.TrimPrefix(strings.TrimPrefix(cfg.Endpoint, "http://"), "https://")
				if !strings.Contains(err.Error(), host+"/"+cfg.Bucket) ||
					strings.Contains(err.Error(), server.SecretKey) {
					t.Errorf("%s: the error says %q", what, err)
				}
			}
		})
	}
}

// A server that knows no versions can keep the release bucket, and no documents.
func TestVerifyWithoutVersions(t *testing.T) {
	t.Parallel()
	server := servertest.Options{NoVersioning: true}.Versitygw(t)
	plain := server.BucketName()
	store := open(t, config(t, server, plain, false))
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, name := range []string{plain, "made-with-lock"} {
		var wrong *s3.SetupError
		_, err := s3.Open(t.Context(), config(t, server, name, true))
		if !errors.As(err, &wrong) || !strings.Contains(wrong.What, "has no versioning") {
			t.Errorf("%s for documents: %v", name, err)
		}
	}
}

// Answers that the servers here do not give.
func TestVerifyAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, shared.Versitygw(t), true)
	for code, c := range map[string]struct {
		status   int
		more     string
		says, do string
	}{
		"RequestTimeTooSkewed": {403, "", "clock differs too much", "the same time service"},
		"AuthorizationHeaderMalformed": {400, "<Region>eu-central-1</Region>", "in another region",
			"set the region of the bucket (eu-central-1)"},
		"AccessDenied": {403, "", "may not do this", "permit what the guide lists"},
		"ExpiredToken": {400, "", "does not accept the credentials", "check access key"},
		"Nonsense":     {418, "", "does not answer as S3 stores do", "check that the endpoint"},
	} {
		fault := r.proxy.Inject(proxytest.Fault{
			Kind: proxytest.Answer, Status: c.status, Times: -1, Header: http.Header{"X-Amz-Request-Id": {"1"}},
			Body: "<Error><Code>" + code + "</Code>" + c.more + "</Error>",
		})
		var wrong *s3.SetupError
		if err := r.store.Verify(t.Context()); !errors.As(err, &wrong) || !strings.Contains(wrong.What, c.says) ||
			!strings.Contains(wrong.Fix, c.do) {
			t.Errorf("%s: %v, want %q and %q", code, err, c.says, c.do)
		}
		fault.Remove()
	}
	r.proxy.Down()
	if err := r.store.Verify(t.Context()); !errors.Is(err, objects.ErrUnavailable) {
		t.Errorf("a store that is down: %v, want ErrUnavailable", err)
	}
	r.proxy.Up()
	if err := r.store.Verify(t.Context()); err != nil {
		t.Errorf("a store that is back: %v", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := servertest.Options{TLS: true}.Versitygw(t)
	cfg := config(t, server, server.BucketName(), true)
	store := open(t, cfg)
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	pem, err := os.ReadFile(server.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(pem) == 0 {
		t.Error("the server has no CA")
	}
	for what, c := range map[string]struct {
		change func(*s3.Config)
		says   string
	}{
		"not trusted":      {func(c *s3.Config) { c.CAFile = "" }, "its certificate is not trusted"},
		"plain HTTP":       {func(c *s3.Config) { c.Endpoint = "http://" + server.Endpoint }, ""},
		"an empty CA file": {func(c *s3.Config) { c.CAFile = empty }, "the CA file is not valid"},
		"no CA file":       {func(c *s3.Config) { c.CAFile = empty + "x" }, "the CA file is not valid"},
	} {
		cfg := cfg
		cfg.RetryTime = 100 * time.Millisecond
		c.change(&cfg)
		var wrong *s3.SetupError
		if _, err := s3.Open(t.Context(), cfg); !errors.As(err, &wrong) || !strings.Contains(wrong.What, c.says) {
			t.Errorf("%s: %v, want %q", what, err, c.says)
		}
	}
}

// A field that cannot be right is named before anything is sent.
func TestConfig(t *testing.T) {
	t.Parallel()
	server := &servertest.S3{Endpoint: "127.0.0.1:1", Region: "r", AccessKey: "a", SecretKey: "s"}
	for says, change := range map[string]func(*s3.Config){
		"the endpoint":      func(c *s3.Config) { c.Endpoint = "127.0.0.1:9000" },
		"the bucket's name": func(c *s3.Config) { c.Bucket = "Bad_Name" },
		"the credentials":   func(c *s3.Config) { c.Credentials = s3.Credentials{} },
		"the lock mode":     func(c *s3.Config) { c.Mode = "soft" },
		"the address style": func(c *s3.Config) { c.Style = "both" },
		"the part size":     func(c *s3.Config) { c.PartSize = 1 << 20 },
		"the memory":        func(c *s3.Config) { c.Memory = budget.New(16<<20, 0, journal.SystemClock{}) },
	} {
		cfg := config(t, server, "bucket", true)
		change(&cfg)
		var wrong *s3.SetupError
		if _, err := s3.New(cfg); !errors.As(err, &wrong) || !strings.Contains(wrong.What, says) || wrong.Fix == "" {
			t.Errorf("%s: %v", says, err)
		}
	}
	for _, endpoint := range []string{"", "ftp://host", "http://", "https://host/path", "https://user:word@host",
		"https://host?x", "::"} {
		cfg := config(t, server, "bucket", true)
		cfg.Endpoint = endpoint
		if _, err := s3.New(cfg); err == nil || strings.Contains(err.Error(), "word") {
			t.Errorf("endpoint %q: %v", endpoint, err)
		}
	}
	if _, err := s3.New(s3.Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}

// A store that does not know its access key any more says 404, or 403; that is never taken for a missing object.
func TestKeyRevoked(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, start(t), true)
			key := r.key()
			version := r.put(key, content(10), objects.PutOptions{}).Version
			cfg := config(t, r.server, r.bucket, true)
			cfg.Credentials = s3.Static("revoked", "revoked-secret")
			store, err := s3.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, statErr := store.Stat(t.Context(), key, version)
			_, getErr := read(t.Context(), store, key, version, nil)
			_, putErr := store.Put(t.Context(), key, strings.NewReader("x"),
				objects.PutOptions{Length: 1, Condition: objects.Condition{Tag: "x"}})
			for doing, err := range map[string]error{
				"Stat": statErr, "Get": getErr, "Put": putErr, "Delete": store.Delete(t.Context(), key, version),
				"Retain": store.Retain(t.Context(), key, version, time.Now().Add(time.Hour)),
				"Hold":   store.Hold(t.Context(), key, version, true),
			} {
				if !errors.Is(err, objects.ErrUnavailable) {
					t.Errorf("%s: %v, want ErrUnavailable", doing, err)
				}
			}
			r.holds(key, content(10))
		})
	}
}
