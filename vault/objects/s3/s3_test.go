package s3_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/processtest"
	"muniment/vault/objects"
	"muniment/vault/objects/objectstest"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

// The tests share two servers, each with buckets of its own, and most of them wait for time limits.
var shared = servertest.Shared{Parallel: 6}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// servers are the real stores that the tests run against.
var servers = map[string]func(testing.TB) *servertest.S3{"versitygw": shared.Versitygw, "minio": shared.MinIO}

// config is of a bucket in a server, which is made when it is opened. Bodies of more than one part are multipart
// uploads.
func config(t testing.TB, server *servertest.S3, bucket string, versioned bool) s3.Config {
	t.Helper()
	return s3.Config{
		Endpoint: server.URL(), Region: server.Region, Bucket: bucket, CAFile: server.CAFile,
		Credentials: s3.Static(server.AccessKey, server.SecretKey),
		Versioned:   versioned, Create: true, PartSize: s3.MinPartSize, StreamSize: 1, RetryTime: 5 * time.Second,
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}
}

// open opens a store for the length of a test. A server that has just started may not be ready.
func open(t testing.TB, cfg s3.Config) *s3.Store {
	t.Helper()
	var store *s3.Store
	var err error
	processtest.Await(t, "the store can be reached", func() bool {
		store, err = s3.Open(t.Context(), cfg)
		return !errors.Is(err, objects.ErrUnavailable)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			for _, versioned := range []bool{true, false} {
				t.Run(fmt.Sprintf("versioned=%t", versioned), func(t *testing.T) {
					t.Parallel()
					cfg := config(t, server, server.BucketName(), versioned)
					if versioned { // once with large bodies sent as they come, once in parts
						cfg.StreamSize = 0
					}
					store := open(t, cfg)
					options := objectstest.Options{
						Unversioned: !versioned, Large: s3.MinPartSize + 1, Flat: true, BareLists: true,
					}
					objectstest.Run(t, func(*testing.T) objects.Store { return store }, options)
				})
			}
		})
	}
}
