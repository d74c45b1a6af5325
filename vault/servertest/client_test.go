package servertest_test

import (
	"io"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"muniment/anchor/processtest"
	"muniment/vault/servertest"
)

// client is one of an S3 server, or of a proxy in front of it.
func client(t *testing.T, s *servertest.S3, endpoint, caFile string) *minio.Client {
	t.Helper()
	options := &minio.Options{
		Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Region: s.Region, Secure: caFile != "",
		MaxRetries: 1,
	}
	if caFile != "" {
		options.Transport = processtest.TrustingTransport(t, caFile)
	}
	c, err := minio.New(endpoint, options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func makeLockedBucket(t *testing.T, c *minio.Client, name string) {
	t.Helper()
	if err := c.MakeBucket(t.Context(), name, minio.MakeBucketOptions{ObjectLocking: true}); err != nil {
		t.Fatalf("making a bucket: %v", err)
	}
}

func tryPut(t *testing.T, c *minio.Client, bucket, key, content string, sse bool) (string, error) {
	t.Helper()
	options := minio.PutObjectOptions{}
	if sse {
		options.ServerSideEncryption = encrypt.NewSSE()
	}
	info, err := c.PutObject(t.Context(), bucket, key, strings.NewReader(content), int64(len(content)), options)
	return info.VersionID, err
}

func putObject(t *testing.T, c *minio.Client, bucket, key, content string, sse bool) (version string) {
	t.Helper()
	version, err := tryPut(t, c, bucket, key, content, sse)
	if err != nil || version == "" {
		t.Fatalf("putting an object: version %q, %v", version, err)
	}
	return version
}

func getObject(t *testing.T, c *minio.Client, bucket, key, version string) string {
	t.Helper()
	object, err := c.GetObject(t.Context(), bucket, key, minio.GetObjectOptions{VersionID: version})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	text, err := io.ReadAll(object)
	if err != nil {
		t.Fatalf("getting an object: %v", err)
	}
	return string(text)
}
