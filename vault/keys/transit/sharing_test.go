package transit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"muniment/anchor/proxytest"
	"muniment/vault/keys"
	"muniment/vault/servertest"
)

// encryptions counts Vault's requests to encrypt for the tenant.
func (b *behind) encryptions(t *testing.T) int {
	t.Helper()
	path := "transit/encrypt/muniment-tenant-" + b.tenant
	return b.vault.Requests(t)[servertest.Operation{Verb: "update", Path: path}]
}

// Wraps that come while a request is under way share the next one.
func TestConcurrentWrapsShareRequests(t *testing.T) { // alone, for its point is how long something takes
	b := newKit(t).behind(t, "default")
	before := b.encryptions(t)
	slow := b.proxy.Inject(proxytest.Fault{
		Kind: proxytest.Delay, Match: proxytest.On("", "/encrypt/"), For: 300 * time.Millisecond, Times: -1,
	})
	const callers = 50
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			want := fmt.Sprintf("secret %d", i)
			wrapped, err := b.svc.Wrap(t.Context(), "default", []keys.Secret{keys.Secret(want)})
			if err != nil {
				t.Error(err)
				return
			}
			got, err := b.svc.Unwrap(t.Context(), "default", wrapped)
			if err != nil || string(got[0].Secret) != want {
				t.Errorf("caller %d was given another's wrap: %v", i, err)
			}
		})
	}
	wg.Wait()
	slow.Remove()
	if n := b.encryptions(t) - before; n > 3 {
		t.Errorf("%d callers at once made for %d requests, want 2", callers, n)
	}
}

// A caller who leaves is let go at once, and spoils nothing for the others of the batch.
func TestCallersLeave(t *testing.T) { // alone, for its point is how long something takes
	b := newKit(t).behind(t, "default")
	slow := b.proxy.Inject(proxytest.Fault{Kind: proxytest.Delay, Match: proxytest.On("", "/decrypt/"),
		For: 500 * time.Millisecond, Times: -1})
	defer slow.Remove()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%2 == 0 {
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			begin := time.Now()
			got, err := b.svc.Unwrap(ctx, "default", []string{b.wrapped})
			took := time.Since(begin)
			switch {
			case i%2 == 0 && (!errors.Is(err, context.Canceled) || !errors.Is(err, keys.ErrUnavailable) ||
				took > 400*time.Millisecond):
				t.Errorf("one who left was held for %v and given %v", took, err)
			case i%2 == 1 && (err != nil || string(got[0].Secret) != canary):
				t.Errorf("one who stayed was given %v, %v", got, err)
			}
		})
	}
	wg.Wait()
}
