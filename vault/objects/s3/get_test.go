package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/anchor/proxytest"
	"muniment/vault/objects"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

// A body that breaks off is an error of Read, at whatever byte and in whatever way.
func TestPartialGet(t *testing.T) {
	t.Parallel()
	for name, span := range map[string]*objects.Span{"whole": nil, "span": {Offset: 100_000, Length: 100_000}} {
		for _, kind := range []proxytest.Kind{proxytest.CutAnswer, proxytest.StallAnswer} {
			t.Run(fmt.Sprint(name, " ", kind), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, shared.Versitygw(t), true, func(c *s3.Config) { c.Timeout = 3 * time.Second })
				r.readPartially(content(300_000), span, kind)
			})
		}
	}
}

// readPartially has the answers with a body break off at several bytes, and then not.
func (r *rig) readPartially(body []byte, span *objects.Span, kind proxytest.Kind) {
	r.Helper()
	key := r.key()
	version := r.put(key, body, objects.PutOptions{}).Version
	want := body
	if span != nil {
		want = body[span.Offset : span.Offset+span.Length]
	}
	for _, n := range []int{1, 4096, 65_536, 99_999} {
		r.proxy.Inject(proxytest.Fault{Kind: kind, Match: proxytest.On("GET", key), Bytes: int64(n)})
		got, err := read(r.Context(), r.store, key, version, span)
		if !errors.Is(err, objects.ErrUnavailable) || errors.Is(err, io.EOF) || !bytes.HasPrefix(want, got) ||
			len(got) > n {
			r.Errorf("%s after %d bytes: read %d, %v", kind, n, len(got), err)
		}
	}
	if got, err := read(r.Context(), r.store, key, version, span); err != nil || !bytes.Equal(got, want) {
		r.Errorf("read %d of %d bytes, %v", len(got), len(want), err)
	}
}

// Answers that are not about what was asked for.
func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, servertest.Versitygw(t), true, func(c *s3.Config) { c.RetryTime = 200 * time.Millisecond })
	key := r.key()
	version := r.put(key, content(100), objects.PutOptions{}).Version
	head := func(more ...string) http.Header {
		h := http.Header{
			"Etag": {`"x"`}, "Last-Modified": {"Sun, 22 Nov 2026 10:00:00 GMT"}, "X-Amz-Request-Id": {"1"},
			"X-Amz-Version-Id": {version},
		}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	span := &objects.Span{Offset: 10, Length: 10}
	for name, c := range map[string]struct {
		fault proxytest.Fault
		span  *objects.Span
		want  error
	}{
		"another version": {proxytest.Fault{Status: 200, Header: head("X-Amz-Version-Id", "other"),
			Body: "x"}, nil, objects.ErrDamaged},
		"no version": {proxytest.Fault{Status: 200, Header: head("X-Amz-Version-Id", ""), Body: "x"},
			nil, objects.ErrUnavailable},
		"a part of the whole": {proxytest.Fault{Status: 206, Header: head("Content-Range", "bytes 0-9/100"),
			Body: "0123456789"}, nil, objects.ErrUnavailable},
		"the whole for a part": {proxytest.Fault{Status: 200, Header: head(), Body: string(content(100))}, span,
			objects.ErrUnavailable},
		"another part": {proxytest.Fault{Status: 206, Header: head("Content-Range", "bytes 11-20/100"),
			Body: "0123456789"}, span, objects.ErrUnavailable},
		"less of the part": {proxytest.Fault{Status: 206, Header: head("Content-Range", "bytes 10-18/100"),
			Body: "012345678"}, span, objects.ErrUnavailable},
		"a part of something else": {proxytest.Fault{Status: 206, Header: head("Content-Range", "bytes 10-19/15"),
			Body: "0123456789"}, span, objects.ErrSpan},
		"a 404 by a proxy": {proxytest.Fault{Status: 404, Body: "<html>not found</html>"}, nil,
			objects.ErrUnavailable},
		"a 405 by a proxy": {proxytest.Fault{Status: 405}, nil, objects.ErrUnavailable},
		"a redirect": {proxytest.Fault{Status: 301,
			Header: http.Header{"Location": {"http://127.0.0.1:1/"}}}, nil, objects.ErrUnavailable},
	} {
		c.fault.Match, c.fault.Times = proxytest.On("GET", key), -1
		fault := r.proxy.Inject(c.fault)
		if got, err := read(t.Context(), r.store, key, version, c.span); !errors.Is(err, c.want) {
			t.Errorf("%s: read %d bytes, %v, want %v", name, len(got), err, c.want)
		}
		fault.Remove()
	}
}

// Others replace objects of the bucket, hide them by a marker, and delete them.
func TestOutOfBand(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, start(t), true)
			ctx, key, body := t.Context(), r.key(), content(1000)
			version := r.put(key, body, objects.PutOptions{}).Version
			other, err := r.client().PutObject(ctx, r.bucket, key, bytes.NewReader([]byte("other")), 5, "", "",
				minio.PutObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := read(ctx, r.store, key, version, nil); err != nil || !bytes.Equal(got, body) {
				t.Errorf("after another put: %d bytes, %v", len(got), err)
			}
			if got, err := read(ctx, r.store, key, "", nil); err != nil || string(got) != "other" {
				t.Errorf("the newest: %q, %v", got, err)
			}
			if err := r.client().RemoveObject(ctx, r.bucket, key, minio.RemoveObjectOptions{}); err != nil {
				t.Fatal(err)
			}
			marker := ""
			for object := range r.client().ListObjectsIter(ctx, r.bucket,
				minio.ListObjectsOptions{Prefix: key, Recursive: true, WithVersions: true}) {
				if object.IsDeleteMarker {
					marker = object.VersionID
				}
			}
			for _, version := range []string{"", marker} {
				if _, err := r.store.Stat(ctx, key, version); !errors.Is(err, objects.ErrNotFound) {
					t.Errorf("Stat of a marker, version %q: %v", version, err)
				}
				if _, err := read(ctx, r.store, key, version, nil); !errors.Is(err, objects.ErrNotFound) {
					t.Errorf("Get of a marker, version %q: %v", version, err)
				}
			}
			if got, err := read(ctx, r.store, key, version, nil); err != nil || !bytes.Equal(got, body) {
				t.Errorf("under a marker: %d bytes, %v", len(got), err)
			}
			var listed []string
			for _, info := range r.versions(key) {
				listed = append(listed, info.Version)
			}
			if fmt.Sprint(listed) != fmt.Sprint([]string{other.VersionID, version}) {
				t.Errorf("listed %v", listed)
			}
			if err := r.client().RemoveObject(ctx, r.bucket, key,
				minio.RemoveObjectOptions{VersionID: version}); err != nil {
				t.Fatal(err)
			}
			if _, err := read(ctx, r.store, key, version, nil); !errors.Is(err, objects.ErrNotFound) {
				t.Errorf("after it was deleted: %v", err)
			}
		})
	}
}
