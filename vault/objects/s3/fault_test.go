package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"muniment/anchor/proxytest"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

// rig is a store behind a proxy that can fail, and the same bucket seen without it.
type rig struct {
	*testing.T
	server *servertest.S3
	bucket string
	proxy  *proxytest.Proxy
	store  *s3.Store // through the proxy
	direct *s3.Store
	n      int
}

// quick are limits with which a test need not wait long.
func quick(c *s3.Config) { c.Timeout, c.RetryTime = time.Second, 3*time.Second }

// newRig is a rig with a bucket of its own.
func newRig(t *testing.T, server *servertest.S3, versioned bool, change ...func(*s3.Config)) *rig {
	t.Helper()
	return newRigIn(t, server, server.BucketName(), versioned, change...)
}

// newRigIn is a rig with a bucket that several may use.
func newRigIn(t *testing.T, server *servertest.S3, bucket string, versioned bool, change ...func(*s3.Config)) *rig {
	t.Helper()
	cfg := config(t, server, bucket, versioned)
	r := &rig{
		T: t, server: server, bucket: bucket, direct: open(t, cfg), proxy: proxytest.New(t, server.Endpoint),
	}
	cfg.Endpoint = r.proxy.URL()
	for _, c := range append([]func(*s3.Config){quick}, change...) {
		c(&cfg)
	}
	r.store = open(t, cfg)
	return r
}

func (r *rig) key() string {
	r.n++
	return regexp.MustCompile("[^A-Za-z0-9/]").ReplaceAllString(r.Name(), "-") + fmt.Sprint("/", r.n)
}

// put stores a body directly.
func (r *rig) put(key string, body []byte, opt objects.PutOptions) objects.Info {
	r.Helper()
	opt.Length = int64(len(body))
	info, err := r.direct.Put(r.Context(), key, bytes.NewReader(body), opt)
	if err != nil {
		r.Fatal(err)
	}
	return info
}

// versions are those of one key.
func (r *rig) versions(key string) (all []objects.Info) {
	r.Helper()
	for info, err := range r.direct.List(r.Context(), key, "") {
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, info)
	}
	return all
}

// holds says that the key has exactly one version, with this body.
func (r *rig) holds(key string, want []byte) objects.Info {
	r.Helper()
	all := r.versions(key)
	if len(all) != 1 {
		r.Fatalf("%d versions are stored, want one", len(all))
	}
	got, err := read(r.Context(), r.direct, key, all[0].Version, nil)
	if err != nil || !bytes.Equal(got, want) {
		r.Fatalf("an object of %d bytes reads back as %d, %v", len(want), len(got), err)
	}
	return all[0]
}

func read(ctx context.Context, s *s3.Store, key, version string, span *objects.Span) ([]byte, error) {
	body, _, err := s.Get(ctx, key, version, span)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// content is n bytes in which no part is like another.
func content(n int) []byte {
	body := make([]byte, n)
	for i := range body {
		body[i] = byte(i>>16) ^ byte(i>>8)*3 ^ byte(i)*7
	}
	return body
}

const large = 2*s3.MinPartSize + 12_345

// passing are faults that a store gets over: each happens once or twice and the call succeeds.
var passing = map[string]proxytest.Fault{
	"503":                   {Kind: proxytest.Answer, Times: 2},
	"503, done":             {Kind: proxytest.AnswerAfter, Times: 2},
	"500":                   {Kind: proxytest.Answer, Status: 500},
	"500, done":             {Kind: proxytest.AnswerAfter, Status: 500},
	"SlowDown":              {Kind: proxytest.Answer, Body: "<Error><Code>SlowDown</Code></Error>"},
	"429":                   {Kind: proxytest.Answer, Status: 429},
	"429, done":             {Kind: proxytest.AnswerAfter, Status: 429},
	"hang":                  {Kind: proxytest.Hang},
	"hang, done":            {Kind: proxytest.HangAfter},
	"reset":                 {Kind: proxytest.Reset, Times: 2},
	"reset, done":           {Kind: proxytest.ResetAfter, Times: 2},
	"answer without a body": {Kind: proxytest.CutAnswer, Bytes: 0},
	"request cut":           {Kind: proxytest.CutRequest, Bytes: 3},
	"request stalled":       {Kind: proxytest.StallUpload, Bytes: 3},
	"a timeout of the store": {Kind: proxytest.Answer, Status: 400,
		Body: "<Error><Code>RequestTimeout</Code></Error>"},
}

// call is a call of the store, and how to see afterwards that it did what it says, once.
type call struct {
	match func(*http.Request) bool // its request that suffers the fault
	do    func(r *rig, key string) error
	check func(r *rig, key string)
}

func calls() map[string]call {
	small, big := content(10_000), content(s3.MinPartSize+12_345) // one part and two
	lock := time.Now().Add(time.Hour)
	putting := func(body []byte, length int64, c objects.Condition) func(r *rig, key string) error {
		return func(r *rig, key string) error {
			_, err := r.store.Put(r.Context(), key, bytes.NewReader(body),
				objects.PutOptions{Length: length, Condition: c})
			return err
		}
	}
	has := func(body []byte) func(r *rig, key string) { return func(r *rig, key string) { r.holds(key, body) } }
	// over puts an object first and gives its version.
	over := func(do func(r *rig, key, version string) error) func(r *rig, key string) error {
		return func(r *rig, key string) error { return do(r, key, r.put(key, small, objects.PutOptions{}).Version) }
	}
	absent := objects.Condition{Absent: true}
	return map[string]call{
		"put": {proxytest.On("PUT", ""), putting(small, int64(len(small)), objects.Condition{}),
			has(small)},
		"put where nothing is": {proxytest.On("PUT", ""), putting(small, int64(len(small)), absent), has(small)},
		"put, length unknown":  {proxytest.On("PUT", ""), putting(small, -1, absent), has(small)},
		"start of an upload":   {proxytest.On("POST", "uploads="), putting(big, int64(len(big)), absent), has(big)},
		"first part":           {proxytest.On("PUT", "partNumber=1"), putting(big, int64(len(big)), absent), has(big)},
		"last part":            {proxytest.On("PUT", "partNumber=2"), putting(big, -1, absent), has(big)},
		"end of an upload":     {proxytest.On("POST", "uploadId="), putting(big, int64(len(big)), absent), has(big)},
		"stat": {proxytest.On("HEAD", ""), over(func(r *rig, key, version string) error {
			_, err := r.store.Stat(r.Context(), key, version)
			return err
		}), has(small)},
		"delete": {proxytest.On("DELETE", ""), over(func(r *rig, key, version string) error {
			return r.store.Delete(r.Context(), key, version)
		}), func(r *rig, key string) {
			if n := len(r.versions(key)); n != 0 {
				r.Errorf("%d versions are left of what was deleted", n)
			}
		}},
		"retain": {proxytest.On("PUT", "retention="), over(func(r *rig, key, version string) error {
			return r.store.Retain(r.Context(), key, version, lock)
		}), func(r *rig, key string) {
			if info, err := r.direct.Stat(r.Context(), key, ""); err != nil || info.RetainUntil.Before(lock) {
				r.Errorf("locked until %v, %v, want %v", info.RetainUntil, err, lock)
			}
		}},
		"hold": {proxytest.On("PUT", "legal-hold="), over(func(r *rig, key, version string) error {
			return r.store.Hold(r.Context(), key, version, true)
		}), func(r *rig, key string) {
			if info, err := r.direct.Stat(r.Context(), key, ""); err != nil || !info.Held {
				r.Errorf("held: %t, %v", info.Held, err)
			}
		}},
		"list": {proxytest.On("GET", "versions="), over(func(r *rig, key, version string) error {
			n := 0
			for _, err := range r.store.List(r.Context(), key, "") {
				if n++; err != nil {
					return err
				}
			}
			if n != 1 {
				return fmt.Errorf("%d objects are listed, want one", n)
			}
			return nil
		}), has(small)},
		"check": {proxytest.On("", "check-"), func(r *rig, _ string) error { return r.store.Check(r.Context()) },
			func(r *rig, _ string) {
				if n := len(r.versions(objects.ProbePrefix + "check-")); n != 0 {
					r.Errorf("a check left %d objects", n)
				}
			}},
	}
}

// Each request of each call fails, and fails after it took effect; the call succeeds and does its work once.
func TestPassingFaults(t *testing.T) {
	t.Parallel()
	server := shared.Versitygw(t)
	bucket := server.BucketName()
	open(t, config(t, server, bucket, true))
	for name, c := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, fault := range passing {
				t.Run(kind, func(t *testing.T) {
					r := newRigIn(t, server, bucket, true)
					fault := fault
					fault.Match = c.match
					switch fault.Kind { // not every request has a body, nor every answer
					case proxytest.CutAnswer, proxytest.CutRequest, proxytest.StallUpload:
						fault.MayMiss = true
					}
					r.proxy.Inject(fault)
					key := r.key()
					if err := c.do(r, key); err != nil {
						t.Fatalf("%v", err)
					}
					c.check(r, key)
				})
			}
		})
	}
}

// A store that stays away is not available: said in time, after few requests, by name, and with nothing of the body.
func TestLastingFaults(t *testing.T) {
	t.Parallel()
	server := shared.Versitygw(t)
	bucket := server.BucketName()
	open(t, config(t, server, bucket, true))
	lasting := map[string]proxytest.Fault{
		"503":  {Kind: proxytest.Answer, Body: "<Error><Code>SlowDown</Code><Message>secret</Message></Error>"},
		"hang": {Kind: proxytest.Hang},
		"html": {Kind: proxytest.Answer, Status: 502, Body: "<html>secret</html>"},
	}
	for name, c := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, fault := range lasting {
				r := newRigIn(t, server, bucket, true, func(c *s3.Config) {
					c.RetryTime = 300 * time.Millisecond
				})
				fault.Match, fault.Times = c.match, -1
				struck := r.proxy.Inject(fault)
				start := time.Now()
				err := c.do(r, r.key())
				if !errors.Is(err, objects.ErrUnavailable) {
					t.Errorf("%s: %v, want ErrUnavailable", kind, err)
					continue
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("%s: it took %v", kind, took)
				}
				if n := struck.Struck(); n > 20 {
					t.Errorf("%s: %d requests", kind, n)
				}
				if !strings.Contains(err.Error(), r.proxy.Address+"/"+bucket) ||
					strings.Contains(err.Error(), "secret") {
					t.Errorf("%s: the error says %q", kind, err)
				}
				struck.Remove()
			}
		})
	}
}

// A store that says when to come back is left alone until then, or given up at once if that is too late.
func TestRetryAfter(t *testing.T) { // alone, for its point is how long something takes
	r := newRig(t, shared.Versitygw(t), true)
	put := func() (time.Duration, error) {
		start := time.Now()
		_, err := r.store.Put(t.Context(), r.key(), strings.NewReader("x"), objects.PutOptions{Length: 1})
		return time.Since(start), err
	}
	after := func(seconds string) proxytest.Fault {
		return proxytest.Fault{Kind: proxytest.Answer, Status: 429, Match: proxytest.On("PUT", ""),
			Header: http.Header{"Retry-After": {seconds}}}
	}
	r.proxy.Inject(after("1"))
	if took, err := put(); err != nil || took < time.Second {
		t.Errorf("came back after %v, %v", took, err)
	}
	fault := r.proxy.Inject(after("60"))
	if took, err := put(); !errors.Is(err, objects.ErrUnavailable) || took > 2*time.Second || fault.Struck() != 1 {
		t.Errorf("gave up after %v and %d requests, %v", took, fault.Struck(), err)
	}
}

// A store that is full says so at once.
func TestFull(t *testing.T) {
	t.Parallel()
	r := newRig(t, shared.Versitygw(t), true)
	for name, c := range map[string]proxytest.Fault{
		"507":   {Status: 507},
		"MinIO": {Status: 507, Body: "<Error><Code>XMinioStorageFull</Code></Error>"},
		"quota": {Status: 403, Body: "<Error><Code>QuotaExceeded</Code></Error>"},
	} {
		c.Match = proxytest.On("PUT", "")
		r.proxy.Inject(c)
		if _, err := r.store.Put(t.Context(), r.key(), strings.NewReader("x"),
			objects.PutOptions{Length: 1}); !errors.Is(err, objects.ErrFull) {
			t.Errorf("%s: %v, want ErrFull", name, err)
		}
	}
}
