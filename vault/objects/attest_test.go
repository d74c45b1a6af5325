package objects_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muniment/anchor/journal"
	"muniment/anchor/processtest"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/objectstest"
	"muniment/vault/objects/s3"
	"muniment/vault/servertest"
)

func openDir(t *testing.T, clock dir.Clock, versioned bool) objects.Store {
	t.Helper()
	store, err := dir.Open(t.Context(),
		dir.Config{Dir: t.TempDir(), Versioned: versioned, Create: true, Clock: clock, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func openS3(t *testing.T, server *servertest.S3) objects.Store {
	t.Helper()
	store, err := s3.New(s3.Config{
		Endpoint: server.URL(), Region: server.Region, Bucket: "attested",
		Credentials: s3.Static(server.AccessKey, server.SecretKey),
		Versioned:   true, Create: true, RetryTime: time.Second, Clock: journal.SystemClock{}, Rand: rand.Reader,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	processtest.Await(t, "the server is ready", func() bool { return store.Verify(t.Context()) == nil })
	return store
}

// Stores that keep their locks are seen to, and hold the locked object and nothing else afterwards.
func TestAttest(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (objects.Store, dir.Clock){
		"dir": func(t *testing.T) (objects.Store, dir.Clock) {
			clock := objectstest.NewClock()
			return openDir(t, clock, true), clock
		},
		"versitygw": func(t *testing.T) (objects.Store, dir.Clock) {
			return openS3(t, servertest.Versitygw(t)), journal.SystemClock{}
		},
		"minio": func(t *testing.T) (objects.Store, dir.Clock) {
			return openS3(t, servertest.MinIO(t)), journal.SystemClock{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, clock := open(t)
			before := clock.Now()
			a, err := objects.Attest(t.Context(), store, objects.AttestConfig{Clock: clock, Rand: rand.Reader})
			if err != nil {
				t.Fatal(err)
			}
			want := objects.Attestation{Locks: true, RefusesDelete: true, RefusesShorter: true, KeepsVersions: true}
			ids := cmpopts.IgnoreFields(objects.Attestation{}, "Key", "Version", "SHA256", "Until", "Replaced")
			if diff := cmp.Diff(want, a, ids); diff != "" || !a.Immutable() {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if a.Until.Before(before.Add(objects.AttestLock)) || !strings.HasPrefix(a.Key, objects.ProbePrefix) ||
				a.Replaced == a.Version {
				t.Errorf("attested: %+v", a)
			}
			var left []objects.Info
			for info, err := range store.List(t.Context(), "", "") {
				if err != nil {
					t.Fatal(err)
				}
				left = append(left, info)
			}
			if len(left) != 1 || left[0].Key != a.Key || left[0].Version != a.Version {
				t.Errorf("%+v is left", left)
			}
			body, _, err := store.Get(t.Context(), a.Key, a.Version, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			content, err := io.ReadAll(body)
			if digest := sha256.Sum256(content); err != nil || string(digest[:]) != string(a.SHA256) {
				t.Errorf("the locked object has %d other bytes, %v", len(content), err)
			}
		})
	}
}

// liar is a store that breaks its word.
type liar struct {
	objects.Store
	noLock    bool // takes a lock and forgets it
	deletes   bool // deletes what is locked
	shortens  bool // sets a shorter lock
	replaces  bool // puts over a version
	vanishes  bool // puts over a version, which is gone then
	pretends  bool // says all the while that it refused
	down      objectstest.Op
	gone      bool
	retained  time.Time
	replacing []byte
}

var errDown = errors.New("down")

func (l *liar) Put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info, error) {
	if l.noLock {
		opt.RetainUntil = time.Time{}
	}
	if opt.RetainUntil.IsZero() && l.replaces {
		content, err := io.ReadAll(body)
		if err != nil {
			return objects.Info{}, err
		}
		l.replacing, body = content, strings.NewReader(string(content))
	}
	if opt.RetainUntil.IsZero() && l.vanishes {
		l.gone = true
	}
	return l.Store.Put(ctx, key, body, opt)
}

func (l *liar) Stat(ctx context.Context, key, version string) (objects.Info, error) {
	info, err := l.Store.Stat(ctx, key, version)
	if l.gone {
		return objects.Info{}, objects.ErrNotFound
	}
	if !l.retained.IsZero() {
		info.RetainUntil = l.retained
	}
	return info, err
}

func (l *liar) Get(ctx context.Context, key, version string, span *objects.Span) (io.ReadCloser, objects.Info, error) {
	body, info, err := l.Store.Get(ctx, key, version, span)
	if l.gone {
		return nil, objects.Info{}, objects.ErrNotFound
	}
	if l.replacing != nil {
		body = io.NopCloser(strings.NewReader(string(l.replacing)))
	}
	return body, info, err
}

func (l *liar) answer() error {
	if l.pretends {
		return objects.ErrLocked
	}
	return nil
}

func (l *liar) Delete(ctx context.Context, key, version string) error {
	switch {
	case l.down == objectstest.Delete:
		return errDown
	case l.deletes:
		l.gone = true
		return l.answer()
	}
	return l.Store.Delete(ctx, key, version)
}

func (l *liar) Retain(ctx context.Context, key, version string, until time.Time) error {
	if l.shortens {
		l.retained = until
		return l.answer()
	}
	return l.Store.Retain(ctx, key, version, until)
}

// A store that does not keep its word is found out, also where it says that it does.
func TestAttestLiars(t *testing.T) {
	clock := objectstest.NewClock()
	for name, c := range map[string]struct {
		liar liar
		want objects.Attestation
	}{
		"forgets the lock":      {liar{noLock: true}, objects.Attestation{}},
		"deletes":               {liar{deletes: true}, objects.Attestation{Locks: true}},
		"deletes and denies it": {liar{deletes: true, pretends: true}, objects.Attestation{Locks: true}},
		"shortens": {liar{shortens: true},
			objects.Attestation{Locks: true, RefusesDelete: true, KeepsVersions: true}},
		"shortens and denies it": {liar{shortens: true, pretends: true},
			objects.Attestation{Locks: true, RefusesDelete: true, KeepsVersions: true}},
		"overwrites": {liar{replaces: true},
			objects.Attestation{Locks: true, RefusesDelete: true, RefusesShorter: true}},
		"drops the older version": {liar{vanishes: true},
			objects.Attestation{Locks: true, RefusesDelete: true, RefusesShorter: true}},
	} {
		c.liar.Store = openDir(t, clock, true)
		a, err := objects.Attest(t.Context(), &c.liar, objects.AttestConfig{Clock: clock, Rand: rand.Reader})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		ids := cmpopts.IgnoreFields(objects.Attestation{}, "Key", "Version", "SHA256", "Until", "Replaced")
		if diff := cmp.Diff(c.want, a, ids); diff != "" || a.Immutable() {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	down := &liar{Store: openDir(t, clock, true), down: objectstest.Delete}
	if _, err := objects.Attest(t.Context(), down,
		objects.AttestConfig{Clock: clock, Rand: rand.Reader}); !errors.Is(err, errDown) {
		t.Errorf("a store that is down: %v", err)
	}
	plain := openDir(t, clock, false)
	if _, err := objects.Attest(t.Context(), plain,
		objects.AttestConfig{Clock: clock, Rand: rand.Reader}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a store without versions: %v", err)
	}
}

// Probes are deleted once their lock has ended and they are old.
func TestTidyProbes(t *testing.T) {
	clock := objectstest.NewClock()
	store := openDir(t, clock, true)
	count := func() (n int) {
		for _, err := range store.List(t.Context(), "", "") {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	if _, err := store.Put(t.Context(), "default/a", strings.NewReader("x"),
		objects.PutOptions{Length: 1}); err != nil {
		t.Fatal(err)
	}
	for _, lock := range []time.Duration{time.Minute, 3 * time.Hour} {
		if _, err := objects.Attest(t.Context(), store,
			objects.AttestConfig{Clock: clock, Rand: rand.Reader, Lock: lock}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		after time.Duration
		left  int
	}{{0, 3}, {59 * time.Minute, 3}, {2 * time.Minute, 2}, {3 * time.Hour, 1}} {
		clock.Advance(step.after)
		if err := objects.TidyProbes(t.Context(), store, clock.Now()); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != step.left {
			t.Errorf("%d objects are left after %v, want %d", n, step.after, step.left)
		}
	}
}
