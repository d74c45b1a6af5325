// Package keystest holds every keys.Service and keys.Custodian to the contract of package keys, and wraps them to make
// them fail.
package keystest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"muniment/vault/keys"
)

// canary begins every secret that the suite wraps; no error text may carry it.
const canary = "canary-1c9e4b"

// The tenants that the suite makes in each service that it opens.
const (
	tenantA = "tenant-a"
	tenantB = "tenant-b"
)

// Run runs the conformance suite. open returns a service without the tenants tenant-a, tenant-b and tenant-none, and
// what has custody of its keys, and closes them with t.Cleanup; it is called once for each test.
func Run(t *testing.T, open func(t *testing.T) (keys.Service, keys.Custodian)) {
	tests := []struct {
		name string
		run  func(t *testing.T, svc keys.Service)
	}{
		{"Check", testCheck},
		{"RoundTrip", testRoundTrip},
		{"Order", testOrder},
		{"EmptyBatch", testEmptyBatch},
		{"Sizes", testSizes},
		{"Form", testForm},
		{"Fresh", testFresh},
		{"ItemErrors", testItemErrors},
		{"EveryByteCounts", testEveryByteCounts},
		{"OtherTenant", testOtherTenant},
		{"UnknownTenant", testUnknownTenant},
		{"CreateTenantTwice", testCreateTenantTwice},
		{"InputUntouched", testInputUntouched},
		{"Concurrent", testConcurrent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			svc, _ := openWithTenants(t, open)
			test.run(t, svc)
		})
	}
	runLife(t, open)
	runShipping(t, open)
}

func openWithTenants(t *testing.T, open func(t *testing.T) (keys.Service, keys.Custodian)) (keys.Service,
	keys.Custodian) {
	t.Helper()
	svc, custodian := open(t)
	for _, tenant := range []string{tenantA, tenantB} {
		if err := svc.CreateTenant(t.Context(), tenant); err != nil {
			t.Fatalf("CreateTenant: %v", err)
		}
	}
	return svc, custodian
}

func secretNumber(i int) keys.Secret { return keys.Secret(fmt.Sprintf("%s-%d", canary, i)) }

// mustWrap wraps secrets for the tenant.
func mustWrap(t *testing.T, svc keys.Service, tenant string, secrets ...keys.Secret) []string {
	t.Helper()
	wrapped, err := svc.Wrap(t.Context(), tenant, secrets)
	if err != nil {
		t.Fatalf("Wrap: %v", err)
	}
	if len(wrapped) != len(secrets) {
		t.Fatalf("Wrap gave %d results for %d secrets", len(wrapped), len(secrets))
	}
	return wrapped
}

// mustUnwrap unwraps a batch; items may have errors of their own, whose texts it checks.
func mustUnwrap(t *testing.T, svc keys.Service, tenant string, wrapped ...string) []keys.Unwrapped {
	t.Helper()
	got, err := svc.Unwrap(t.Context(), tenant, wrapped)
	if err != nil {
		t.Fatalf("Unwrap: %v", err)
	}
	if len(got) != len(wrapped) {
		t.Fatalf("Unwrap gave %d results for %d", len(got), len(wrapped))
	}
	for _, u := range got {
		checkQuiet(t, u.Err)
		if (u.Err == nil) == (len(u.Secret) == 0) {
			t.Errorf("an item has %d bytes of secret and error %v; want one of the two", len(u.Secret), u.Err)
		}
	}
	return got
}

// checkQuiet fails the test if an error's text carries a secret.
func checkQuiet(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
		t.Errorf("the error carries a secret: %v", err)
	}
}

// checkIs fails the test unless err wraps want and is quiet.
func checkIs(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want one that wraps %q", what, err, want)
	}
	checkQuiet(t, err)
}

func testCheck(t *testing.T, svc keys.Service) {
	if err := svc.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func testRoundTrip(t *testing.T, svc keys.Service) {
	all := make(keys.Secret, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, want := range []keys.Secret{{0}, []byte(canary), all, bytes.Repeat([]byte{0xff}, keys.MaxSecret)} {
		got := mustUnwrap(t, svc, tenantA, mustWrap(t, svc, tenantA, want)...)[0]
		if got.Err != nil || !bytes.Equal(got.Secret, want) {
			t.Errorf("a secret of %d bytes did not come back: %v", len(want), got.Err)
		}
	}
}

func testOrder(t *testing.T, svc keys.Service) {
	const n = 300
	secrets := make([]keys.Secret, n)
	for i := range secrets {
		secrets[i] = secretNumber(i)
	}
	wrapped := mustWrap(t, svc, tenantA, secrets...)
	reversed := make([]string, n)
	for i, w := range wrapped {
		reversed[n-1-i] = w
	}
	for i, got := range mustUnwrap(t, svc, tenantA, reversed...) {
		if got.Err != nil || !bytes.Equal(got.Secret, secrets[n-1-i]) {
			t.Fatalf("item %d of the batch is another's, or failed: %v", i, got.Err)
		}
	}
}

func testEmptyBatch(t *testing.T, svc keys.Service) {
	mustWrap(t, svc, tenantA)
	mustUnwrap(t, svc, tenantA)
}

func testSizes(t *testing.T, svc keys.Service) {
	for _, bad := range []keys.Secret{nil, {}, make(keys.Secret, keys.MaxSecret+1)} {
		wrapped, err := svc.Wrap(t.Context(), tenantA, []keys.Secret{secretNumber(1), bad, secretNumber(2)})
		checkIs(t, fmt.Sprintf("a batch with a secret of %d bytes", len(bad)), err, keys.ErrSize)
		if len(wrapped) != 0 {
			t.Errorf("a batch with a secret of %d bytes was wrapped in part", len(bad))
		}
	}
}

func testForm(t *testing.T, svc keys.Service) {
	wrapped := mustWrap(t, svc, tenantA, secretNumber(1))[0]
	name, rest, _ := strings.Cut(wrapped, ":")
	version, value, ok := strings.Cut(rest, ":")
	if !ok || name == "" || len(version) < 2 || version[0] != 'v' || value == "" {
		t.Errorf("the wrapped secret does not begin like name:v1: but like %.16q", wrapped)
	}
	for _, c := range []byte(wrapped) {
		if c <= ' ' || c > '~' {
			t.Errorf("the wrapped secret has the byte %#x in it, which is not printable ASCII", c)
		}
	}
	if strings.Contains(wrapped, canary) {
		t.Error("the wrapped secret shows the secret")
	}
}

func testFresh(t *testing.T, svc keys.Service) {
	secret := secretNumber(1)
	wrapped := mustWrap(t, svc, tenantA, secret, secret)
	if wrapped[0] == wrapped[1] {
		t.Error("the same secret was wrapped alike twice, so who sees the wraps sees which secrets are the same")
	}
}

// damaged gives what is no wrap of the tenant whose wrap good is.
func damaged(good, foreign string) []string {
	prefix := good[:strings.LastIndex(good, ":")+1]
	return []string{"", "rubbish", prefix, prefix + "!!!!", prefix + "AAAA", good[:len(good)-8], good + "AAAA", foreign}
}

func testItemErrors(t *testing.T, svc keys.Service) {
	good := mustWrap(t, svc, tenantA, secretNumber(0), secretNumber(1))
	for _, b := range damaged(good[0], mustWrap(t, svc, tenantB, secretNumber(2))[0]) {
		got := mustUnwrap(t, svc, tenantA, good[0], b, good[1])
		for i, at := range []int{0, 2} {
			if got[at].Err != nil || !bytes.Equal(got[at].Secret, secretNumber(i)) {
				t.Errorf("the item beside %.24q was spoiled: %v", b, got[at].Err)
			}
		}
		checkIs(t, fmt.Sprintf("unwrapping %.24q", b), got[1].Err, keys.ErrWrapped)
	}
}

func testEveryByteCounts(t *testing.T, svc keys.Service) {
	wrapped := mustWrap(t, svc, tenantA, secretNumber(1))[0]
	at := strings.LastIndex(wrapped, ":") + 1
	var changed []string
	for i := at; i < len(wrapped); i++ {
		b := []byte(wrapped)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		changed = append(changed, string(b))
	}
	for i, got := range mustUnwrap(t, svc, tenantA, changed...) {
		if !errors.Is(got.Err, keys.ErrWrapped) {
			t.Errorf("character %d changed: error %v, want ErrWrapped", at+i, got.Err)
		}
	}
}

func testOtherTenant(t *testing.T, svc keys.Service) {
	wrapped := mustWrap(t, svc, tenantA, secretNumber(1))
	got := mustUnwrap(t, svc, tenantB, wrapped...)
	checkIs(t, "another tenant's wrap put in its place", got[0].Err, keys.ErrWrapped)
}

func testUnknownTenant(t *testing.T, svc keys.Service) {
	const unknown = "tenant-none"
	_, err := svc.Wrap(t.Context(), unknown, []keys.Secret{secretNumber(1)})
	checkIs(t, "wrapping for an unknown tenant", err, keys.ErrNoKey)
	got := mustUnwrap(t, svc, unknown, mustWrap(t, svc, tenantA, secretNumber(1))...)
	checkIs(t, "unwrapping for an unknown tenant", got[0].Err, keys.ErrNoKey)
	_, err = svc.Wrap(t.Context(), unknown, []keys.Secret{secretNumber(1)})
	checkIs(t, "wrapping for a tenant that was only asked about", err, keys.ErrNoKey)
}

func testCreateTenantTwice(t *testing.T, svc keys.Service) {
	wrapped := mustWrap(t, svc, tenantA, secretNumber(1))
	if err := svc.CreateTenant(t.Context(), tenantA); err != nil {
		t.Fatalf("CreateTenant again: %v", err)
	}
	if got := mustUnwrap(t, svc, tenantA, wrapped...)[0]; got.Err != nil || !bytes.Equal(got.Secret, secretNumber(1)) {
		t.Errorf("after CreateTenant again, the earlier wrap does not open: %v", got.Err)
	}
}

func testInputUntouched(t *testing.T, svc keys.Service) {
	secrets := []keys.Secret{secretNumber(1)}
	wrapped := mustWrap(t, svc, tenantA, secrets...)
	if !bytes.Equal(secrets[0], secretNumber(1)) {
		t.Error("Wrap changed the caller's secret")
	}
	clear(secrets[0])
	if got := mustUnwrap(t, svc, tenantA, wrapped...)[0]; !bytes.Equal(got.Secret, secretNumber(1)) {
		t.Error("Wrap kept hold of the caller's slice")
	}
}

func testConcurrent(t *testing.T, svc keys.Service) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			own := fmt.Sprintf("tenant-%d", i/2) // two goroutines create each
			if err := svc.CreateTenant(t.Context(), own); err != nil {
				t.Errorf("CreateTenant: %v", err)
				return
			}
			for k := range 20 {
				want := secretNumber(100*i + k)
				wrapped, err := svc.Wrap(t.Context(), own, []keys.Secret{want})
				if err != nil {
					t.Errorf("Wrap: %v", err)
					return
				}
				got, err := svc.Unwrap(t.Context(), own, wrapped)
				if err != nil || got[0].Err != nil || !bytes.Equal(got[0].Secret, want) {
					t.Errorf("Unwrap: %v, %v", err, got)
					return
				}
			}
		})
	}
	wg.Wait()
}
