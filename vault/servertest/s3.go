package servertest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"muniment/anchor/processtest"
)

// S3 is a running S3 server, in which there is no bucket yet. Buckets can be made with Object Lock.
type S3 struct {
	Endpoint  string // "127.0.0.1:49152"
	CAFile    string // PEM of the CA that its certificate is of; "" without TLS
	Region    string
	AccessKey string // of the root account
	SecretKey string
	Dir       string // the folder in which the server keeps all its files, for tests that look at the raw bytes
	*processtest.Process

	buckets atomic.Int64 // names that BucketName has given
}

// BucketName is a name that it gives only once, so that tests that share the server do not meet.
func (s *S3) BucketName() string { return fmt.Sprintf("bucket-%d", s.buckets.Add(1)) }

// URL is the endpoint with its scheme.
func (s *S3) URL() string {
	if s.CAFile != "" {
		return "https://" + s.Endpoint
	}
	return "http://" + s.Endpoint
}

// Versitygw starts a versitygw on POSIX files, with versioning: the current versions of a bucket are files in
// Dir/objects, the others in Dir/versions.
func Versitygw(t testing.TB) *S3 {
	t.Helper()
	return Options{}.Versitygw(t)
}

// MinIO starts a MinIO with one drive, which encrypts by SSE-S3 when a request asks for that.
func MinIO(t testing.TB) *S3 {
	t.Helper()
	return Options{}.MinIO(t)
}

// Versitygw starts one with options.
func (o Options) Versitygw(t testing.TB) *S3 {
	t.Helper()
	program := processtest.Program(t, "versitygw")
	s, cert := o.newS3(t)
	args := []string{
		"--access", s.AccessKey, "--secret", s.SecretKey, "--region", s.Region, "--port", s.Endpoint,
		"--health", "/servertest", "--quiet", "--keep-alive",
	}
	if cert != nil {
		args = append(args, "--cert", cert.Cert, "--key", cert.Key)
	}
	args = append(args, "posix")
	if !o.NoVersioning {
		args = append(args, "--versioning-dir", makeDir(t, s.Dir, "versions"))
	}
	s.Process = processtest.Start(t, processtest.Command{
		Name: "versitygw", Path: program, Args: append(args, makeDir(t, s.Dir, "objects")),
		Env: processtest.Environment(s.Dir), Dir: s.Dir, Log: filepath.Join(t.TempDir(), "versitygw.log"),
		Probe: s.URL() + "/servertest", Client: cert.Client(t), Shared: o.shared,
	})
	return s
}

// MinIO starts one with options.
func (o Options) MinIO(t testing.TB) *S3 {
	t.Helper()
	program := processtest.Program(t, "minio")
	s, cert := o.newS3(t)
	certs := t.TempDir() // it looks into the user's home for certificates unless it is told where
	if cert != nil {
		certs = cert.Dir
	}
	env := []string{
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey, "MINIO_SITE_REGION=" + s.Region,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off",
	}
	if !o.NoKMS {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // crypto/rand's never fails
		env = append(env, "MINIO_KMS_SECRET_KEY=servertest:"+base64.StdEncoding.EncodeToString(key))
	}
	s.Process = processtest.Start(t, processtest.Command{
		Name: "minio", Path: program,
		Args: []string{"server", "--address", s.Endpoint, "--certs-dir", certs, s.Dir},
		Env:  processtest.Environment(s.Dir, env...), Dir: s.Dir, Log: filepath.Join(t.TempDir(), "minio.log"),
		Probe:  s.URL() + "/minio/health/cluster",
		Status: http.StatusOK, // it answers before it can serve everything
		Client: cert.Client(t), Shared: o.shared,
	})
	return s
}

// newS3 is what all S3 servers have in common.
func (o Options) newS3(t testing.TB) (*S3, *processtest.Certificate) {
	t.Helper()
	s := &S3{
		Endpoint: processtest.Reserve(t), Region: o.Region, AccessKey: "servertest", SecretKey: rand.Text(),
		Dir: t.TempDir(),
	}
	if s.Region == "" {
		s.Region = "us-east-1"
	}
	if !o.TLS {
		return s, nil
	}
	cert := processtest.NewCertificate(t)
	s.CAFile = cert.CAFile()
	return s, cert
}

// makeDir makes a folder in a folder.
func makeDir(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatalf("making a folder for a server: %v", err)
	}
	return path
}
