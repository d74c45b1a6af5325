package keystest

import (
	"bytes"
	"fmt"
	"testing"

	"muniment/vault/keys"
)

// runLife runs the tests of what happens to a key after its first day: rotation, rewrapping, trimming.
func runLife(t *testing.T, open func(t *testing.T) (keys.Service, keys.Custodian)) {
	tests := []struct {
		name string
		run  func(t *testing.T, l life)
	}{
		{"Versions", testVersions},
		{"Rotate", testRotate},
		{"RotateFrom", testRotateFrom},
		{"Rewrap", testRewrap},
		{"RewrapItemErrors", testRewrapItemErrors},
		{"RewrapUnknownTenant", testRewrapUnknownTenant},
		{"Trim", testTrim},
		{"TrimTwice", testTrimTwice},
		{"TrimTooFar", testTrimTooFar},
		{"TrimOtherTenant", testTrimOtherTenant},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			svc, custodian := openWithTenants(t, open)
			test.run(t, life{svc, custodian})
		})
	}
}

// life is a service with the custodian of its keys.
type life struct {
	svc       keys.Service
	custodian keys.Custodian
}

func (l life) mustRotate(t *testing.T, tenant string, from int) {
	t.Helper()
	newest, err := l.custodian.Rotate(t.Context(), tenant, from)
	if err != nil || newest != from+1 {
		t.Fatalf("Rotate from %d gave %d, %v", from, newest, err)
	}
}

func (l life) mustTrim(t *testing.T, tenant string, oldest int) {
	t.Helper()
	if err := l.custodian.Trim(t.Context(), tenant, oldest); err != nil {
		t.Fatalf("Trim below %d: %v", oldest, err)
	}
}

// mustRewrap rewraps a batch; items may have errors of their own, whose texts it checks.
func (l life) mustRewrap(t *testing.T, tenant string, wrapped ...string) []keys.Rewrapped {
	t.Helper()
	got, err := l.svc.Rewrap(t.Context(), tenant, wrapped)
	if err != nil {
		t.Fatalf("Rewrap: %v", err)
	}
	if len(got) != len(wrapped) {
		t.Fatalf("Rewrap gave %d results for %d", len(got), len(wrapped))
	}
	for _, r := range got {
		checkQuiet(t, r.Err)
		if (r.Err == nil) == (r.Wrapped == "") {
			t.Errorf("an item has the wrap %.12q and error %v; want one of the two", r.Wrapped, r.Err)
		}
	}
	return got
}

func (l life) checkVersions(t *testing.T, tenant string, want keys.Versions) {
	t.Helper()
	got, err := l.svc.Versions(t.Context(), tenant)
	if err != nil || got != want {
		t.Errorf("the versions of %s are %+v, %v; want %+v", tenant, got, err, want)
	}
}

// checkOpens fails the test unless each wrap unwraps to its numbered secret.
func (l life) checkOpens(t *testing.T, what, tenant string, wrapped ...string) {
	t.Helper()
	for i, got := range mustUnwrap(t, l.svc, tenant, wrapped...) {
		if got.Err != nil || !bytes.Equal(got.Secret, secretNumber(i)) {
			t.Errorf("%s: the wrap %d does not give its secret: %v", what, i, got.Err)
		}
	}
}

func checkVersionOf(t *testing.T, wrapped string, want int) {
	t.Helper()
	if got, err := keys.VersionOf(wrapped); err != nil || got != want {
		t.Errorf("a wrap that begins %.12q is of version %d, %v; want %d", wrapped, got, err, want)
	}
}

func testVersions(t *testing.T, l life) {
	l.checkVersions(t, tenantA, keys.Versions{Newest: 1, Oldest: 1, Kept: 1})
	_, err := l.svc.Versions(t.Context(), "tenant-none")
	checkIs(t, "asking for an unknown tenant's versions", err, keys.ErrNoKey)
}

func testRotate(t *testing.T, l life) {
	old := mustWrap(t, l.svc, tenantA, secretNumber(0), secretNumber(1))
	checkVersionOf(t, old[0], 1)
	l.mustRotate(t, tenantA, 1)
	l.checkVersions(t, tenantA, keys.Versions{Newest: 2, Oldest: 1, Kept: 1})
	l.checkVersions(t, tenantB, keys.Versions{Newest: 1, Oldest: 1, Kept: 1})
	l.checkOpens(t, "after a rotation", tenantA, old...)
	fresh := mustWrap(t, l.svc, tenantA, secretNumber(0))
	checkVersionOf(t, fresh[0], 2)
	l.checkOpens(t, "wrapped after a rotation", tenantA, fresh...)
	if err := l.svc.CreateTenant(t.Context(), tenantA); err != nil {
		t.Fatalf("CreateTenant again: %v", err)
	}
	l.checkVersions(t, tenantA, keys.Versions{Newest: 2, Oldest: 1, Kept: 1})
	if err := l.svc.Check(t.Context()); err != nil {
		t.Errorf("Check after a rotation: %v", err)
	}
}

func testRotateFrom(t *testing.T, l life) {
	for range 2 {
		l.mustRotate(t, tenantA, 1)
	}
	l.mustRotate(t, tenantA, 2)
	if newest, err := l.custodian.Rotate(t.Context(), tenantA, 1); err != nil || newest != 3 {
		t.Errorf("Rotate from 1 when there are 3 gave %d, %v; want 3 and no rotation", newest, err)
	}
	_, err := l.custodian.Rotate(t.Context(), tenantA, 4)
	checkIs(t, "rotating from a version that is not there", err, keys.ErrVersion)
	l.checkVersions(t, tenantA, keys.Versions{Newest: 3, Oldest: 1, Kept: 1})
	_, err = l.custodian.Rotate(t.Context(), "tenant-none", 1)
	checkIs(t, "rotating an unknown tenant's key", err, keys.ErrNoKey)
	_, err = l.svc.Versions(t.Context(), "tenant-none")
	checkIs(t, "after that, asking for its versions", err, keys.ErrNoKey)
}

func testRewrap(t *testing.T, l life) {
	const n = 100
	secrets := make([]keys.Secret, n)
	for i := range secrets {
		secrets[i] = secretNumber(i)
	}
	old := mustWrap(t, l.svc, tenantA, secrets...)
	l.mustRotate(t, tenantA, 1)
	for range 2 { // the second time they have the newest version already
		from, to := old, make([]string, n)
		for i, got := range l.mustRewrap(t, tenantA, from...) {
			if got.Err != nil {
				t.Fatalf("rewrapping item %d: %v", i, got.Err)
			}
			checkVersionOf(t, got.Wrapped, 2)
			to[i] = got.Wrapped
		}
		l.checkOpens(t, "rewrapped", tenantA, to...)
		l.checkOpens(t, "as it was before", tenantA, from...)
		old = to
	}
	l.mustRewrap(t, tenantA)
}

func testRewrapItemErrors(t *testing.T, l life) {
	good := mustWrap(t, l.svc, tenantA, secretNumber(0), secretNumber(1))
	foreign := mustWrap(t, l.svc, tenantB, secretNumber(2))[0]
	l.mustRotate(t, tenantA, 1)
	for _, b := range damaged(good[0], foreign) {
		got := l.mustRewrap(t, tenantA, good[0], b, good[1])
		if got[0].Err != nil || got[2].Err != nil {
			t.Errorf("the items beside %.24q were spoiled: %v, %v", b, got[0].Err, got[2].Err)
			continue
		}
		l.checkOpens(t, fmt.Sprintf("beside %.24q", b), tenantA, got[0].Wrapped, got[2].Wrapped)
		checkIs(t, fmt.Sprintf("rewrapping %.24q", b), got[1].Err, keys.ErrWrapped)
	}
}

func testRewrapUnknownTenant(t *testing.T, l life) {
	got := l.mustRewrap(t, "tenant-none", mustWrap(t, l.svc, tenantA, secretNumber(1))...)
	checkIs(t, "rewrapping for an unknown tenant", got[0].Err, keys.ErrNoKey)
}

func testTrim(t *testing.T, l life) {
	old := mustWrap(t, l.svc, tenantA, secretNumber(0), secretNumber(1))
	l.mustRotate(t, tenantA, 1)
	var living []string
	for _, got := range l.mustRewrap(t, tenantA, old...) {
		living = append(living, got.Wrapped)
	}
	l.checkOpens(t, "before the trim", tenantA, old...)
	l.mustTrim(t, tenantA, 2)
	l.checkVersions(t, tenantA, keys.Versions{Newest: 2, Oldest: 2, Kept: 2})
	for i, got := range mustUnwrap(t, l.svc, tenantA, old[0], living[0], old[1]) {
		if i != 1 {
			checkIs(t, "unwrapping what a trimmed version wrapped", got.Err, keys.ErrNoKey)
		} else if got.Err != nil {
			t.Errorf("unwrapping beside what a trimmed version wrapped: %v", got.Err)
		}
	}
	checkIs(t, "rewrapping what a trimmed version wrapped", l.mustRewrap(t, tenantA, old...)[0].Err, keys.ErrNoKey)
	l.checkOpens(t, "living", tenantA, living...)
	l.checkOpens(t, "wrapped after a trim", tenantA, mustWrap(t, l.svc, tenantA, secretNumber(0))...)
	l.mustRotate(t, tenantA, 2)
	l.checkOpens(t, "living, after another rotation", tenantA, living...)
	if err := l.svc.CreateTenant(t.Context(), tenantA); err != nil {
		t.Fatalf("CreateTenant again: %v", err)
	}
	checkIs(t, "unwrapping it later", mustUnwrap(t, l.svc, tenantA, old...)[0].Err, keys.ErrNoKey)
}

func testTrimTwice(t *testing.T, l life) {
	for from := range 3 {
		l.mustRotate(t, tenantA, from+1)
	}
	// A version that is gone does not come back, and asking for it is no error.
	for _, oldest := range []int{1, 3, 3, 2, 1, 0, -1} {
		l.mustTrim(t, tenantA, oldest)
	}
	l.checkVersions(t, tenantA, keys.Versions{Newest: 4, Oldest: 3, Kept: 3})
}

func testTrimTooFar(t *testing.T, l life) {
	wrapped := mustWrap(t, l.svc, tenantA, secretNumber(0))
	checkIs(t, "trimming the newest version", l.custodian.Trim(t.Context(), tenantA, 2), keys.ErrVersion)
	l.checkOpens(t, "after a refused trim", tenantA, wrapped...)
	checkIs(t, "trimming an unknown tenant's key", l.custodian.Trim(t.Context(), "tenant-none", 1), keys.ErrNoKey)
}

func testTrimOtherTenant(t *testing.T, l life) {
	wrapped := mustWrap(t, l.svc, tenantB, secretNumber(0))
	l.mustRotate(t, tenantA, 1)
	l.mustTrim(t, tenantA, 2)
	l.checkOpens(t, "after another tenant's trim", tenantB, wrapped...)
	l.checkVersions(t, tenantB, keys.Versions{Newest: 1, Oldest: 1, Kept: 1})
}
