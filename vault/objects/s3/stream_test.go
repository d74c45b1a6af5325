package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"muniment/anchor/proxytest"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
)

func streaming(c *s3.Config) { c.StreamSize = 0 }

// A body of known length is one request also when it is larger than a part.
func TestStreamIsOneRequest(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, start(t), true, streaming, func(c *s3.Config) { c.Timeout, c.RetryTime = 0, 0 })
			for _, size := range []int{s3.MinPartSize + 1, large, 3 * s3.MinPartSize} {
				before, key := len(r.proxy.Requests()), r.key()
				info, err := r.store.Put(t.Context(), key, bytes.NewReader(content(size)), objects.PutOptions{
					Length: int64(size), Condition: objects.Condition{Absent: true},
					RetainUntil: time.Now().Add(time.Minute),
				})
				if err != nil {
					t.Fatal(err)
				}
				if seen := r.proxy.Requests()[before:]; len(seen) != 1 || seen[0].Method != http.MethodPut {
					t.Errorf("a body of %d bytes took %+v", size, seen)
				}
				if stored := r.holds(key, content(size)); stored.Version != info.Version || info.RetainUntil.IsZero() {
					t.Errorf("Put gave %+v, and %+v is stored", info, stored)
				}
			}
		})
	}
}

// After a fault of a body that is sent while it is read, either the object is there and Put says so, or Put says that
// the store was not available. Faults after the body was stored are none for the caller, nor are those within the
// first part.
func TestStreamFaults(t *testing.T) {
	t.Parallel()
	server := shared.Versitygw(t)
	body := content(large)
	for name, c := range map[string]struct {
		fault proxytest.Fault
		size  int
		sure  bool // Put must succeed
	}{
		"503":                  {proxytest.Fault{Kind: proxytest.Answer}, large, false},
		"503, first part only": {proxytest.Fault{Kind: proxytest.Answer}, s3.MinPartSize + 1, false},
		"503, done":            {proxytest.Fault{Kind: proxytest.AnswerAfter}, large, true},
		"reset":                {proxytest.Fault{Kind: proxytest.Reset}, large, false},
		"reset, done":          {proxytest.Fault{Kind: proxytest.ResetAfter}, large, true},
		"hang":                 {proxytest.Fault{Kind: proxytest.Hang}, large, false},
		"hang, done":           {proxytest.Fault{Kind: proxytest.HangAfter}, large, true},
		"cut in the middle":    {proxytest.Fault{Kind: proxytest.CutRequest, Bytes: 7 << 20}, large, false},
		"cut at once":          {proxytest.Fault{Kind: proxytest.CutRequest, Bytes: 1}, large, false},
		"stalled":              {proxytest.Fault{Kind: proxytest.StallUpload, Bytes: 6 << 20}, large, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, server, true, streaming)
			c.fault.Match = proxytest.On("PUT", "")
			r.proxy.Inject(c.fault)
			key := r.key()
			_, err := r.store.Put(t.Context(), key, bytes.NewReader(body[:c.size]), objects.PutOptions{
				Length: int64(c.size), Condition: objects.Condition{Absent: true},
			})
			switch {
			case err == nil:
				r.holds(key, body[:c.size])
			case c.sure || !errors.Is(err, objects.ErrUnavailable):
				t.Errorf("Put: %v", err)
			case len(r.versions(key)) != 0:
				t.Error("an object is stored of a body that broke off")
			}
		})
	}
}

// A source that is slow for longer than the store may be does no harm, and one that fails at any byte leaves nothing.
func TestStreamSources(t *testing.T) {
	t.Parallel()
	r := newRig(t, shared.Versitygw(t), true, streaming)
	body := content(large)
	pause := callback(func() { <-time.After(1200 * time.Millisecond) }) // more than the store's Timeout
	slow := io.MultiReader(bytes.NewReader(body[:6<<20]), pause, bytes.NewReader(body[6<<20:]))
	key := r.key()
	if _, err := r.store.Put(t.Context(), key, slow, objects.PutOptions{Length: large}); err != nil {
		t.Errorf("a slow source: %v", err)
	}
	r.holds(key, body)
	for _, place := range []int{s3.MinPartSize + 1, 6 << 20, large - 1, large} {
		for _, cause := range []error{io.ErrUnexpectedEOF, context.Canceled, errors.New("the client hung up")} {
			key := r.key()
			reader := io.MultiReader(bytes.NewReader(body[:place]), &failing{cause})
			_, err := r.store.Put(t.Context(), key, reader, objects.PutOptions{Length: large})
			if !errors.Is(err, cause) || errors.Is(err, objects.ErrUnavailable) {
				t.Errorf("a source that failed at %d by %v: %v", place, cause, err)
			}
			if n := len(r.versions(key)); n != 0 {
				t.Errorf("a source that failed at %d: %d objects", place, n)
			}
		}
	}
	for _, length := range []int64{large - 1, large + 1} {
		key := r.key()
		_, err := r.store.Put(t.Context(), key, bytes.NewReader(body), objects.PutOptions{Length: length})
		if n := len(r.versions(key)); n != 0 || !errors.Is(err, objects.ErrShort) {
			t.Errorf("%d bytes announced as %d: %d objects, %v", large, length, n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	reader := io.MultiReader(bytes.NewReader(body[:6<<20]), callback(cancel), bytes.NewReader(body[6<<20:]))
	key = fmt.Sprint(r.key(), "/canceled")
	if _, err := r.store.Put(ctx, key, reader, objects.PutOptions{Length: large}); !errors.Is(err, context.Canceled) ||
		len(r.versions(key)) != 0 {
		t.Errorf("canceled: %v", err)
	}
}
