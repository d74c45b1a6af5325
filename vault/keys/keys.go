// Package keys is the contract for what holds the tenants' keys: it wraps and unwraps small secrets and never gives the key
// away. A conformance suite (package keystest) runs over every implementation.
package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrUnavailable says that the key service cannot be reached, is sealed or is overloaded. A retry may help.
	ErrUnavailable = errors.New("the key service is not available")
	// ErrDenied says that the key service refuses us. A retry does not help until an operator has acted.
	ErrDenied = errors.New("the key service denies access")
	// ErrNoKey says that the tenant has no key, or that the key version a secret was wrapped with has been trimmed.
	ErrNoKey = errors.New("the key does not exist any more, or never did")
	// ErrWrapped says that a wrapped secret is not one of this tenant's: damaged, or another tenant's put in its place.
	ErrWrapped = errors.New("the wrapped secret cannot be unwrapped with this tenant's key")
	// ErrSize says that a secret to be wrapped is empty or longer than MaxSecret.
	ErrSize = errors.New("a secret must be 1 byte to 64 KiB long")
)

// MaxSecret is the longest secret that can be wrapped, in bytes.
const MaxSecret = 64 << 10

const hidden = "[secret]"

// Secret is key material in the clear. It prints as "[secret]" whatever the verb, and marshals as nothing else. Two holes in
// fmt are not ours to close: it calls no methods on unexported fields, so a struct that keeps a Secret in one needs a Format
// method of its own; nor on what a nested pointer points to under a verb that does not fit, which go vet refuses.
type Secret []byte

// Format hides the secret from every verb, %d and %x included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Unwrapped is one result of Unwrap: a secret, or why there is none.
type Unwrapped struct {
	Secret Secret
	Err    error // ErrWrapped, ErrNoKey
}

// CheckSizes says whether each of the secrets may be wrapped: ErrSize if not. Implementations call it first.
func CheckSizes(secrets []Secret) error {
	for _, s := range secrets {
		if len(s) == 0 || len(s) > MaxSecret {
			return ErrSize
		}
	}
	return nil
}

// Service holds one key for each tenant. Its methods may be called concurrently. Errors wrap one of the sentinels above,
// name the service, and never carry a secret. A missing or empty plaintext is an error, never an empty secret.
type Service interface {
	// CreateTenant makes the tenant's key if there is none yet. It is idempotent.
	CreateTenant(ctx context.Context, tenant string) error
	// Wrap encrypts each secret (1 byte to 64 KiB) with the newest version of the tenant's key. The results stand in the
	// order of the secrets; they are printable ASCII with a prefix that names format and key version. All or none: ErrSize
	// if one is empty or too long, ErrNoKey if the tenant has no key. An empty batch gives an empty result.
	Wrap(ctx context.Context, tenant string, secrets []Secret) ([]string, error)
	// Unwrap decrypts each of a batch, in order. One that cannot be unwrapped has its own Err and spoils no other, also
	// when the tenant has no key at all; the returned error is for the batch as a whole (ErrUnavailable, ErrDenied).
	Unwrap(ctx context.Context, tenant string, wrapped []string) ([]Unwrapped, error)
	// Check says whether the service can wrap and unwrap now, as one sentence in the error when it cannot.
	Check(ctx context.Context) error
}
