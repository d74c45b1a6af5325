package keystest

import (
	"context"
	"fmt"
	"sync"

	"muniment/vault/keys"
)

// Call is a method of keys.Service or keys.Custodian that can be made to fail.
type Call string

// The calls.
const (
	CreateTenant   Call = "CreateTenant"
	Wrap           Call = "Wrap"
	Unwrap         Call = "Unwrap"
	Rewrap         Call = "Rewrap"
	Versions       Call = "Versions"
	WrapShipping   Call = "WrapShipping"
	UnwrapShipping Call = "UnwrapShipping"
	Check          Call = "Check"
	Rotate         Call = "Rotate"
	Trim           Call = "Trim"
)

// Fault is how a call fails.
type Fault int

// The faults.
const (
	// None lets the call through.
	None Fault = iota
	// Fail returns ErrUnavailable, and the service sees nothing of the call.
	Fail
	// FailAfter lets the service do it and then returns ErrUnavailable: the answer was lost.
	FailAfter
	// Deny returns ErrDenied, and the service sees nothing of the call.
	Deny
	// Hang waits until the caller's context ends.
	Hang
)

// Faulty is a keys.Service whose calls fail as it is told. Unarmed it is the service that it wraps.
type Faulty struct {
	faults
	svc keys.Service
}

// NewFaulty wraps a service.
func NewFaulty(svc keys.Service) *Faulty { return &Faulty{faults: newFaults(), svc: svc} }

// FaultyCustodian is a keys.Custodian whose calls fail as it is told. Unarmed it is the custodian that it wraps.
type FaultyCustodian struct {
	faults
	custodian keys.Custodian
}

// NewFaultyCustodian wraps a custodian.
func NewFaultyCustodian(c keys.Custodian) *FaultyCustodian {
	return &FaultyCustodian{faults: newFaults(), custodian: c}
}

var (
	_ keys.Service   = (*Faulty)(nil)
	_ keys.Custodian = (*FaultyCustodian)(nil)
)

// faults says which calls fail, and counts them.
type faults struct {
	mu    sync.Mutex
	armed map[Call]Fault
	calls map[Call]int
}

func newFaults() faults { return faults{armed: map[Call]Fault{}, calls: map[Call]int{}} }

// Arm makes every further call of the method fail that way, until it is armed with None.
func (f *faults) Arm(c Call, how Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed[c] = how
}

// Calls is how often the method was called.
func (f *faults) Calls(c Call) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[c]
}

// inject counts the call and does it, or fails as armed.
func (f *faults) inject(ctx context.Context, c Call, do func() error) error {
	f.mu.Lock()
	how := f.armed[c]
	f.calls[c]++
	f.mu.Unlock()
	switch how {
	case Fail:
		return fmt.Errorf("faulty keys: %s: %w", c, keys.ErrUnavailable)
	case FailAfter:
		if err := do(); err != nil {
			return err
		}
		return fmt.Errorf("faulty keys: %s: the answer was lost: %w", c, keys.ErrUnavailable)
	case Deny:
		return fmt.Errorf("faulty keys: %s: %w", c, keys.ErrDenied)
	case Hang:
		<-ctx.Done()
		return fmt.Errorf("faulty keys: %s: %w: %w", c, keys.ErrUnavailable, ctx.Err())
	default:
		return do()
	}
}

// CreateTenant is the service's, or fails as armed.
func (f *Faulty) CreateTenant(ctx context.Context, tenant string) error {
	return f.inject(ctx, CreateTenant, func() error { return f.svc.CreateTenant(ctx, tenant) })
}

// Wrap is the service's, or fails as armed.
func (f *Faulty) Wrap(ctx context.Context, tenant string, secrets []keys.Secret) ([]string, error) {
	var out []string
	err := f.inject(ctx, Wrap, func() (err error) {
		out, err = f.svc.Wrap(ctx, tenant, secrets)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Unwrap is the service's, or fails as armed.
func (f *Faulty) Unwrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Unwrapped, error) {
	var out []keys.Unwrapped
	err := f.inject(ctx, Unwrap, func() (err error) {
		out, err = f.svc.Unwrap(ctx, tenant, wrapped)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Rewrap is the service's, or fails as armed.
func (f *Faulty) Rewrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Rewrapped, error) {
	var out []keys.Rewrapped
	err := f.inject(ctx, Rewrap, func() (err error) {
		out, err = f.svc.Rewrap(ctx, tenant, wrapped)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Versions is the service's, or fails as armed.
func (f *Faulty) Versions(ctx context.Context, tenant string) (keys.Versions, error) {
	var out keys.Versions
	err := f.inject(ctx, Versions, func() (err error) {
		out, err = f.svc.Versions(ctx, tenant)
		return err
	})
	if err != nil {
		return keys.Versions{}, err
	}
	return out, nil
}

// WrapShipping is the service's, or fails as armed.
func (f *Faulty) WrapShipping(ctx context.Context, secret keys.Secret) (string, error) {
	var out string
	err := f.inject(ctx, WrapShipping, func() (err error) {
		out, err = f.svc.WrapShipping(ctx, secret)
		return err
	})
	if err != nil {
		return "", err
	}
	return out, nil
}

// UnwrapShipping is the service's, or fails as armed.
func (f *Faulty) UnwrapShipping(ctx context.Context, wrapped string) (keys.Secret, error) {
	var out keys.Secret
	err := f.inject(ctx, UnwrapShipping, func() (err error) {
		out, err = f.svc.UnwrapShipping(ctx, wrapped)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Check is the service's, or fails as armed.
func (f *Faulty) Check(ctx context.Context) error {
	return f.inject(ctx, Check, func() error { return f.svc.Check(ctx) })
}

// Rotate is the custodian's, or fails as armed.
func (f *FaultyCustodian) Rotate(ctx context.Context, tenant string, from int) (int, error) {
	var newest int
	err := f.inject(ctx, Rotate, func() (err error) {
		newest, err = f.custodian.Rotate(ctx, tenant, from)
		return err
	})
	if err != nil {
		return 0, err
	}
	return newest, nil
}

// Trim is the custodian's, or fails as armed.
func (f *FaultyCustodian) Trim(ctx context.Context, tenant string, oldest int) error {
	return f.inject(ctx, Trim, func() error { return f.custodian.Trim(ctx, tenant, oldest) })
}
