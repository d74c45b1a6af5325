package s3_test

import (
	"strings"
	"testing"
	"time"

	"muniment/anchor/processtest"
	"muniment/vault/objects"
)

// A lock that has ended is still told: a sweep knows by it that a document had the object once.
func TestEndedLockIsTold(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			store := open(t, config(t, server, server.BucketName(), true))
			info, err := store.Put(t.Context(), "a", strings.NewReader("x"),
				objects.PutOptions{Length: 1, RetainUntil: time.Now().Add(time.Second)})
			if err != nil {
				t.Fatal(err)
			}
			until := time.Now().Add(2 * time.Second).UTC().Truncate(time.Second)
			if err := store.Retain(t.Context(), "a", info.Version, until); err != nil {
				t.Fatal(err)
			}
			processtest.Await(t, "the lock has ended", func() bool { return time.Now().After(until.Add(time.Second)) })
			got, err := store.Stat(t.Context(), "a", info.Version)
			if err != nil || !got.RetainUntil.Equal(until) {
				t.Errorf("the store says that the lock was until %s, %v; want %s", got.RetainUntil, err, until)
			}
		})
	}
}
