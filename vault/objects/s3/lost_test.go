package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"muniment/anchor/proxytest"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

// A body of up to a part is one request, whatever comes with it.
func TestOneRequest(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, start(t), true, func(c *s3.Config) { c.Timeout, c.RetryTime = 0, 0 })
			for _, size := range []int{0, 1, 10_000, s3.MinPartSize} {
				for _, length := range []int64{int64(size), -1} {
					before := len(r.proxy.Requests())
					_, err := r.store.Put(t.Context(), r.key(), bytes.NewReader(content(size)), objects.PutOptions{
						Length: length, Condition: objects.Condition{Absent: true},
						RetainUntil: time.Now().Add(time.Minute),
					})
					if err != nil {
						t.Fatal(err)
					}
					if seen := r.proxy.Requests()[before:]; len(seen) != 1 || seen[0].Method != http.MethodPut {
						t.Errorf("a body of %d bytes took %+v", size, seen)
					}
				}
			}
		})
	}
}

// completed are answers to the end of a multipart upload that say 200 and are no success.
var completed = map[string]string{
	"an error inside": `<?xml version="1.0"?><Error><Code>InternalError</Code>` +
		`<Message>We encountered an internal error.</Message></Error>`,
	"spaces, then error":   "\n   \n<Error><Code>SlowDown</Code></Error>",
	"nothing":              "",
	"half of it":           `<?xml version="1.0"?><CompleteMultipartUploadResult><Bucket>muni`,
	"something else":       "<html></html>",
	"an error that passes": `<Error><Code>RequestTimeout</Code></Error>`,
}

func TestCompletedWithError(t *testing.T) {
	t.Parallel()
	server := shared.Versitygw(t)
	body := content(large)
	for name, answer := range completed {
		for _, kind := range []proxytest.Kind{proxytest.Answer, proxytest.AnswerAfter} {
			t.Run(fmt.Sprint(name, " ", kind), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, server, true)
				r.proxy.Inject(proxytest.Fault{
					Kind: kind, Match: proxytest.On("POST", "uploadId="), Status: 200, Body: answer,
					Header: http.Header{"X-Amz-Request-Id": {"1"}},
				})
				key := r.key()
				info, err := r.store.Put(t.Context(), key, bytes.NewReader(body), objects.PutOptions{
					Length: large, Condition: objects.Condition{Absent: true},
				})
				if err != nil {
					t.Fatal(err)
				}
				if stored := r.holds(key, body); stored.Version != info.Version || info.Size != large {
					t.Errorf("Put gave %+v, and %+v is stored", info, stored)
				}
				r.noUploads()
			})
		}
	}
}

// client is a client of the server, for what a store of ours does not do.
func (r *rig) client() *minio.Core {
	r.Helper()
	core, err := minio.NewCore(r.server.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(r.server.AccessKey, r.server.SecretKey, ""), Region: r.server.Region,
	})
	if err != nil {
		r.Fatal(err)
	}
	return core
}

// noUploads says that no multipart upload is left.
func (r *rig) noUploads() {
	r.Helper()
	page, err := r.client().ListMultipartUploads(r.Context(), r.bucket, "", "", "", "", 1000)
	if err != nil {
		r.Fatal(err)
	}
	if len(page.Uploads) != 0 {
		r.Errorf("%d uploads are left", len(page.Uploads))
	}
}

// A condition that fails after an answer was lost: it may have failed because of the lost attempt itself.
func TestLostAndRefused(t *testing.T) {
	t.Parallel()
	server := shared.Versitygw(t)
	for _, versioned := range []bool{true, false} {
		t.Run(fmt.Sprintf("versioned=%t", versioned), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, server, versioned)
			body, other := content(1000), bytes.Repeat([]byte("other"), 200)
			put := func(key string, c objects.Condition) (objects.Info, error) {
				return r.store.Put(t.Context(), key, bytes.NewReader(body),
					objects.PutOptions{Length: 1000, Condition: c})
			}

			key := r.key()
			old := r.put(key, other, objects.PutOptions{})
			r.proxy.Inject(proxytest.Fault{Kind: proxytest.ResetAfter, Match: proxytest.On("PUT", key)})
			if info, err := put(key, objects.Condition{Tag: old.Tag}); err != nil || info.Tag == old.Tag {
				t.Errorf("a swap whose answer was lost: %+v, %v", info, err)
			}

			key = r.key()
			r.put(key, other, objects.PutOptions{})
			if _, err := put(key, objects.Condition{Absent: true}); !errors.Is(err, objects.ErrExists) {
				t.Errorf("over somebody else's object: %v, want ErrExists", err)
			}
			r.proxy.Inject(proxytest.Fault{Kind: proxytest.Reset, Match: proxytest.On("PUT", key)})
			_, err := put(key, objects.Condition{Absent: true})
			if !errors.Is(err, objects.ErrUnavailable) || errors.Is(err, objects.ErrExists) {
				t.Errorf("over somebody else's object, after an attempt that was lost: %v, want ErrUnavailable", err)
			}
			if got, err := read(t.Context(), r.direct, key, "", nil); err != nil || !bytes.Equal(got, other) {
				t.Errorf("somebody else's object has become %d bytes, %v", len(got), err)
			}

			// The lost attempt arrives late: after it was looked for, before the next one.
			key = r.key()
			r.proxy.Inject(proxytest.Fault{Kind: proxytest.Reset, Match: proxytest.On("PUT", key)})
			late := false
			r.proxy.Inject(proxytest.Fault{Kind: proxytest.Delay, MayMiss: true, Times: -1,
				Match: func(q *http.Request) bool {
					if q.Method == http.MethodPut && strings.Contains(q.URL.Path, key) && !late {
						late = true
						r.again(q, key, body)
					}
					return false
				}})
			if info, err := put(key, objects.Condition{Absent: true}); err != nil {
				t.Errorf("an attempt that arrived late: %+v, %v", info, err)
			}
			r.holds(key, body)
		})
	}
}

// again sends the body of a request, with its metadata, by another way.
func (r *rig) again(q *http.Request, key string, body []byte) {
	opt := minio.PutObjectOptions{UserMetadata: map[string]string{}}
	for name, values := range q.Header {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
			opt.UserMetadata[rest] = values[0]
		}
	}
	name := strings.Split(q.URL.Path, "/")[1]
	if _, err := r.client().PutObject(r.Context(), name, key, bytes.NewReader(body), int64(len(body)), "", "",
		opt); err != nil {
		r.Error(err)
	}
}

// A client that drops at any byte leaves nothing: no object, no upload.
func TestClientDrops(t *testing.T) {
	t.Parallel()
	// A request that is given up and repeated could leave an upload, so none is given up.
	r := newRig(t, shared.Versitygw(t), true, func(c *s3.Config) { c.Timeout, c.RetryTime = 0, 0 })
	body := content(large)
	causes := []error{io.ErrUnexpectedEOF, io.ErrClosedPipe, context.Canceled, errors.New("the client hung up")}
	places := []int{0, 1, 9_999, s3.MinPartSize - 1, s3.MinPartSize, s3.MinPartSize + 1, 2 * s3.MinPartSize, large - 1,
		large}
	for i, place := range places {
		cause := causes[i%len(causes)]
		for _, length := range []int64{large, -1} {
			key := r.key()
			reader := io.MultiReader(bytes.NewReader(body[:place]), &failing{cause})
			_, err := r.store.Put(t.Context(), key, reader,
				objects.PutOptions{Length: length, Condition: objects.Condition{Absent: true}})
			if !errors.Is(err, cause) || errors.Is(err, objects.ErrUnavailable) {
				t.Errorf("dropped at %d by %v: %v", place, cause, err)
			}
			if n := len(r.versions(key)); n != 0 {
				t.Errorf("dropped at %d: %d objects", place, n)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	reader := io.MultiReader(bytes.NewReader(body[:large/2]), callback(cancel), bytes.NewReader(body[large/2:]))
	if _, err := r.store.Put(ctx, r.key(), reader, objects.PutOptions{Length: large}); !errors.Is(err,
		context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	r.noUploads()
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

type callback func()

func (c callback) Read([]byte) (int, error) {
	c()
	return 0, io.EOF
}

// An upload that cannot be ended is aborted, and so is one that its process left behind.
func TestUploadsAreAborted(t *testing.T) {
	t.Parallel()
	r := newRig(t, servertest.Versitygw(t), true, func(c *s3.Config) { c.RetryTime = 300 * time.Millisecond })
	for _, match := range []func(*http.Request) bool{proxytest.On("PUT", "partNumber=2"),
		proxytest.On("POST", "uploadId=")} {
		fault := r.proxy.Inject(proxytest.Fault{Kind: proxytest.Answer, Match: match, Times: -1})
		key := r.key()
		_, err := r.store.Put(t.Context(), key, bytes.NewReader(content(large)), objects.PutOptions{Length: large})
		if !errors.Is(err, objects.ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
		fault.Remove()
		r.noUploads()
		if n := len(r.versions(key)); n != 0 {
			t.Errorf("%d objects", n)
		}
	}
	for i := range 3 {
		if _, err := r.client().NewMultipartUpload(t.Context(), r.bucket, fmt.Sprint("left/", i),
			minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.store.TidyUploads(t.Context(), "left/", time.Now().Add(-time.Hour)); err != nil {
		t.Error(err)
	}
	if page, err := r.client().ListMultipartUploads(t.Context(), r.bucket, "", "", "", "", 1000); err != nil ||
		len(page.Uploads) != 3 {
		t.Errorf("young uploads were tidied up: %d are left, %v", len(page.Uploads), err)
	}
	if err := r.store.TidyUploads(t.Context(), "left/", time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	r.noUploads()
}
