package keystest_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"

	"muniment/vault/keys"
	"muniment/vault/keys/keystest"
	"muniment/vault/keys/local"
)

func newLocal(t *testing.T) *local.Service {
	t.Helper()
	svc, err := local.Create(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := svc.Close(); err != nil {
			t.Error(err)
		}
	})
	return svc
}

func newFaulty(t *testing.T) *keystest.Faulty {
	t.Helper()
	return keystest.NewFaulty(newLocal(t))
}

func TestFaultyUnarmedConforms(t *testing.T) {
	keystest.Run(t, func(t *testing.T) (keys.Service, keys.Custodian) {
		svc := newLocal(t)
		return keystest.NewFaulty(svc), keystest.NewFaultyCustodian(svc)
	})
}

func TestFaultyFails(t *testing.T) {
	f := newFaulty(t)
	ctx := t.Context()
	f.Arm(keystest.CreateTenant, keystest.Fail)
	if err := f.CreateTenant(ctx, "a"); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("armed to fail: %v", err)
	}
	if _, err := f.Wrap(ctx, "a", []keys.Secret{keys.Secret("x")}); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("a call that failed took effect: wrapping gave %v", err)
	}
	f.Arm(keystest.CreateTenant, keystest.FailAfter)
	if err := f.CreateTenant(ctx, "a"); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("armed to fail afterwards: %v", err)
	}
	wrapped, err := f.Wrap(ctx, "a", []keys.Secret{keys.Secret("x")})
	if err != nil {
		t.Errorf("a call whose answer was lost took no effect: wrapping gave %v", err)
	}
	f.Arm(keystest.Unwrap, keystest.Deny)
	if _, err := f.Unwrap(ctx, "a", wrapped); !errors.Is(err, keys.ErrDenied) {
		t.Errorf("armed to deny: %v", err)
	}
	f.Arm(keystest.Unwrap, keystest.None)
	if got, err := f.Unwrap(ctx, "a", wrapped); err != nil || got[0].Err != nil {
		t.Errorf("disarmed: %v, %v", got, err)
	}
	if n := f.Calls(keystest.CreateTenant); n != 2 {
		t.Errorf("CreateTenant was counted %d times, want 2", n)
	}
}

func TestFaultyHangsUntilTheContextEnds(t *testing.T) {
	f := newFaulty(t)
	f.Arm(keystest.Check, keystest.Hang)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		done := make(chan struct{})
		go func() {
			err = f.Check(ctx)
			close(done)
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatalf("it did not hang: %v", err)
		default:
		}
		cancel()
		<-done
		if !errors.Is(err, keys.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("after the context's end: %v, want ErrUnavailable and context.Canceled", err)
		}
	})
}

func TestFaultyCustodianFails(t *testing.T) {
	svc := newLocal(t)
	f := keystest.NewFaultyCustodian(svc)
	ctx := t.Context()
	if err := svc.CreateTenant(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	f.Arm(keystest.Rotate, keystest.Fail)
	if newest, err := f.Rotate(ctx, "a", 1); !errors.Is(err, keys.ErrUnavailable) || newest != 0 {
		t.Errorf("armed to fail: %d, %v", newest, err)
	}
	f.Arm(keystest.Rotate, keystest.FailAfter)
	if _, err := f.Rotate(ctx, "a", 1); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("armed to fail afterwards: %v", err)
	}
	f.Arm(keystest.Trim, keystest.Deny)
	if err := f.Trim(ctx, "a", 2); !errors.Is(err, keys.ErrDenied) {
		t.Errorf("armed to deny: %v", err)
	}
	if v, err := svc.Versions(ctx, "a"); err != nil || v != (keys.Versions{Newest: 2, Oldest: 1, Kept: 1}) {
		t.Errorf("the versions are %+v, %v; want one rotation and no trim", v, err)
	}
	if n := f.Calls(keystest.Rotate); n != 2 {
		t.Errorf("Rotate was counted %d times, want 2", n)
	}
}
