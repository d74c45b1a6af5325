package s3_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/anchor/proxytest"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

// A list of several pages goes on where a page failed, and gives each version once.
func TestListGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start     func(testing.TB) *servertest.S3
		versioned bool
	}{
		"versitygw": {shared.Versitygw, true}, "versitygw, no versions": {shared.Versitygw, false},
		"minio": {shared.MinIO, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.start(t), c.versioned,
				func(c *s3.Config) { c.Timeout, c.RetryTime = time.Second, time.Second })
			want := make([]string, 0, 1200)
			for i := range 1100 {
				key := fmt.Sprintf("many/%04d", i)
				if c.versioned { // three versions each, so that a page ends between them
					key = fmt.Sprintf("many/%04d", i/3)
				}
				want = append(want, key)
			}
			r.putAll(want)
			slices.Sort(want)
			list := func() (got []string, err error) {
				seen := map[string]bool{}
				for info, err := range r.store.List(t.Context(), "many/", "") {
					if err != nil {
						return got, err
					}
					if id := info.Key + info.Version; seen[id] {
						t.Errorf("%s came twice", id)
					} else {
						seen[id] = true
					}
					got = append(got, info.Key)
				}
				return got, nil
			}
			for _, fault := range []proxytest.Fault{
				{Kind: proxytest.Answer}, {Kind: proxytest.Reset}, {Kind: proxytest.Hang},
				{Kind: proxytest.CutAnswer, Bytes: 10_000},
				{Kind: proxytest.CutAnswer, Bytes: 10_000, Times: 2}, {Kind: proxytest.StallAnswer, Bytes: 10_000},
			} {
				fault.Match, fault.Skip = proxytest.On("GET", "prefix="), 1
				r.proxy.Inject(fault)
				if got, err := list(); err != nil || !slices.Equal(got, want) {
					t.Errorf("%v: %d of %d, %v", fault.Kind, len(got), len(want), err)
				}
			}
			fault := r.proxy.Inject(proxytest.Fault{Kind: proxytest.Answer, Match: proxytest.On("GET", "prefix="),
				Skip: 1, Times: -1})
			got, err := list()
			if !errors.Is(err, objects.ErrUnavailable) || len(got) == 0 || !slices.Equal(got, want[:len(got)]) {
				t.Errorf("a store that goes away: %d, %v", len(got), err)
			}
			fault.Remove()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n := 0
			for _, err = range r.store.List(ctx, "many/", "") {
				if n++; n == 10 {
					cancel()
				}
			}
			if !errors.Is(err, context.Canceled) || n > 1010 {
				t.Errorf("canceled: %d, %v", n, err)
			}
		})
	}
}

// putAll puts an object under each of the keys, several at a time.
func (r *rig) putAll(keys []string) {
	r.Helper()
	var wait sync.WaitGroup
	for part := range slices.Chunk(keys, len(keys)/clients+1) {
		wait.Go(func() {
			for _, key := range part {
				if _, err := r.direct.Put(r.Context(), key, strings.NewReader("x"),
					objects.PutOptions{Length: 1}); err != nil {
					r.Error(err)
				}
			}
		})
	}
	wait.Wait()
}
