package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
)

// The journal's release bucket on a store without versions: conditional puts over the network.
func TestReleaseBucket(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			journaltest.RunBucket(t, func(t *testing.T) journal.Bucket {
				return objects.NewBucket(open(t, config(t, server, server.BucketName(), false)))
			})
		})
	}
}

// Locks in governance mode bind the store's own credentials too, as long as they do not bypass them.
func TestGovernance(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			cfg := config(t, server, server.BucketName(), true)
			cfg.Mode = s3.Governance
			store, until := open(t, cfg), time.Now().Add(time.Hour)
			info, err := store.Put(t.Context(), "a", strings.NewReader("x"),
				objects.PutOptions{Length: 1, RetainUntil: until})
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Delete(t.Context(), "a", info.Version); !errors.Is(err, objects.ErrLocked) {
				t.Errorf("Delete: %v, want ErrLocked", err)
			}
			if err := store.Retain(t.Context(), "a", info.Version, until.Add(-time.Minute)); !errors.Is(err,
				objects.ErrLocked) {
				t.Errorf("Retain until earlier: %v, want ErrLocked", err)
			}
			if err := store.Retain(t.Context(), "a", info.Version, until.Add(time.Minute)); err != nil {
				t.Errorf("Retain until later: %v", err)
			}
		})
	}
}

// The store is asked to encrypt what it keeps, with its own keys or with one of its key service.
func TestEncryption(t *testing.T) {
	t.Parallel()
	server := servers["minio"](t)
	n := 0
	for _, encryption := range []s3.Encryption{{Enabled: true}, {Enabled: true, KMSKey: "servertest"}} {
		bucket := server.BucketName()
		cfg := config(t, server, bucket, true)
		cfg.Encryption = encryption
		r := &rig{T: t, server: server, bucket: bucket, direct: open(t, cfg)}
		for _, size := range []int{1000, large} {
			n++
			key := fmt.Sprint("encrypted/", n)
			info := r.put(key, content(size), objects.PutOptions{Condition: objects.Condition{Absent: true}})
			r.holds(key, content(size))
			stat, err := r.client().StatObject(t.Context(), bucket, key, statVersion(info.Version))
			if err != nil {
				t.Fatal(err)
			}
			header := stat.Headers.Get("X-Amz-Server-Side-Encryption")
			if kms := encryption.KMSKey != ""; header == "" || kms != strings.Contains(header, "kms") {
				t.Errorf("%+v: the store says %q", encryption, header)
			}
			span := &objects.Span{Offset: 100, Length: 300}
			if got, err := read(t.Context(), r.direct, key, info.Version, span); err != nil ||
				!bytes.Equal(got, content(size)[100:400]) {
				t.Errorf("a span: %d bytes, %v", len(got), err)
			}
		}
	}
}

func statVersion(version string) minio.StatObjectOptions {
	return minio.StatObjectOptions{VersionID: version}
}

// The configured mode is that of new objects. An object that was locked in the other one keeps it, and its lock is
// extended all the same.
func TestModeChanged(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			for mode, other := range map[s3.Mode]s3.Mode{s3.Compliance: s3.Governance, s3.Governance: s3.Compliance} {
				cfg := config(t, server, server.BucketName(), true)
				cfg.Mode = mode
				before := open(t, cfg)
				cfg.Mode = other
				store, until := open(t, cfg), time.Now().UTC().Truncate(time.Second).Add(time.Hour)
				info, err := before.Put(t.Context(), string(mode), strings.NewReader("x"),
					objects.PutOptions{Length: 1, RetainUntil: until})
				if err != nil {
					t.Fatal(err)
				}
				if err := store.Retain(t.Context(), info.Key, info.Version, until.Add(-time.Minute)); !errors.Is(err,
					objects.ErrLocked) {
					t.Errorf("%s: Retain until earlier: %v, want ErrLocked", mode, err)
				}
				until = until.Add(time.Hour)
				if err := store.Retain(t.Context(), info.Key, info.Version, until); err != nil {
					t.Errorf("%s: Retain until later: %v", mode, err)
				}
				if got, err := store.Stat(t.Context(), info.Key, info.Version); err != nil ||
					!got.RetainUntil.Equal(until) {
					t.Errorf("%s: locked until %s, %v; want %s", mode, got.RetainUntil, err, until)
				}
			}
		})
	}
}
