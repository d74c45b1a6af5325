package keystest

import (
	"bytes"
	"fmt"
	"testing"

	"muniment/vault/keys"
)

// runShipping runs the part of the suite that is about the journals' own key.
func runShipping(t *testing.T, open func(t *testing.T) (keys.Service, keys.Custodian)) {
	tests := []struct {
		name string
		run  func(t *testing.T, l life)
	}{
		{"ShippingRoundTrip", testShippingRoundTrip},
		{"ShippingSizes", testShippingSizes},
		{"ShippingDamaged", testShippingDamaged},
		{"ShippingIsNoTenants", testShippingIsNoTenants},
		{"ShippingOutlivesTrims", testShippingOutlivesTrims},
		{"ShippingNameIsReserved", testShippingNameIsReserved},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			svc, custodian := openWithTenants(t, open)
			test.run(t, life{svc, custodian})
		})
	}
	t.Run("ShippingOfAnotherService", func(t *testing.T) {
		svc, _ := open(t)
		other, _ := open(t)
		_, err := svc.UnwrapShipping(t.Context(), mustWrapShipping(t, other, secretNumber(1)))
		checkIs(t, "unwrapping another service's wrap", err, keys.ErrWrapped)
	})
}

func mustWrapShipping(t *testing.T, svc keys.Service, secret keys.Secret) string {
	t.Helper()
	wrapped, err := svc.WrapShipping(t.Context(), secret)
	if err != nil {
		t.Fatalf("WrapShipping: %v", err)
	}
	return wrapped
}

// checkOpensShipping fails the test unless the wrap gives the secret.
func checkOpensShipping(t *testing.T, what string, svc keys.Service, wrapped string, want keys.Secret) {
	t.Helper()
	got, err := svc.UnwrapShipping(t.Context(), wrapped)
	checkQuiet(t, err)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: the shipping key of %d bytes did not come back: %v", what, len(want), err)
	}
}

func testShippingRoundTrip(t *testing.T, l life) {
	for _, want := range []keys.Secret{{0}, secretNumber(1), bytes.Repeat([]byte{0xff}, keys.MaxSecret)} {
		wrapped := mustWrapShipping(t, l.svc, want)
		checkOpensShipping(t, "wrapped", l.svc, wrapped, want)
		checkVersionOf(t, wrapped, 1)
		if again := mustWrapShipping(t, l.svc, want); again == wrapped {
			t.Error("the same shipping key was wrapped alike twice")
		}
	}
}

func testShippingSizes(t *testing.T, l life) {
	for _, bad := range []keys.Secret{nil, {}, make(keys.Secret, keys.MaxSecret+1)} {
		wrapped, err := l.svc.WrapShipping(t.Context(), bad)
		checkIs(t, fmt.Sprintf("a shipping key of %d bytes", len(bad)), err, keys.ErrSize)
		if wrapped != "" {
			t.Errorf("a shipping key of %d bytes was wrapped", len(bad))
		}
	}
}

func testShippingDamaged(t *testing.T, l life) {
	foreign := mustWrap(t, l.svc, tenantA, secretNumber(1))[0]
	for _, bad := range damaged(mustWrapShipping(t, l.svc, secretNumber(1)), foreign) {
		got, err := l.svc.UnwrapShipping(t.Context(), bad)
		checkIs(t, fmt.Sprintf("unwrapping %.24q", bad), err, keys.ErrWrapped)
		if len(got) > 0 {
			t.Errorf("unwrapping %.24q gave something", bad)
		}
	}
}

func testShippingIsNoTenants(t *testing.T, l life) {
	wrapped := mustWrapShipping(t, l.svc, secretNumber(1))
	for _, tenant := range []string{tenantA, tenantB} {
		got := mustUnwrap(t, l.svc, tenant, wrapped)
		checkIs(t, "unwrapping a shipping key as a tenant's secret", got[0].Err, keys.ErrWrapped)
	}
	checkIs(t, "rewrapping a shipping key as a tenant's secret", l.mustRewrap(t, tenantA, wrapped)[0].Err,
		keys.ErrWrapped)
}

func testShippingOutlivesTrims(t *testing.T, l life) {
	wrapped := mustWrapShipping(t, l.svc, secretNumber(1))
	for _, tenant := range []string{tenantA, tenantB} {
		l.mustRotate(t, tenant, 1)
		l.mustTrim(t, tenant, 2)
	}
	checkOpensShipping(t, "after every tenant's trim", l.svc, wrapped, secretNumber(1))
	checkVersionOf(t, mustWrapShipping(t, l.svc, secretNumber(1)), 1)
	_, err := l.custodian.Rotate(t.Context(), keys.Journals, 1)
	checkIs(t, "rotating the journals' key", err, keys.ErrNoKey)
	checkIs(t, "trimming the journals' key", l.custodian.Trim(t.Context(), keys.Journals, 1), keys.ErrNoKey)
	checkOpensShipping(t, "after acts on the journals' key", l.svc, wrapped, secretNumber(1))
}

func testShippingNameIsReserved(t *testing.T, l life) {
	if err := l.svc.CreateTenant(t.Context(), keys.Journals); err == nil {
		t.Error("a tenant got the name of the journals' key")
	}
	wrapped := mustWrapShipping(t, l.svc, secretNumber(1))
	got := mustUnwrap(t, l.svc, keys.Journals, wrapped)
	checkIs(t, "unwrapping as a tenant of that name", got[0].Err, keys.ErrNoKey)
}
