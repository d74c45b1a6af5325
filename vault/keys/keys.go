// Package keys is the contract for what holds the tenants' keys, and the journals' own: it wraps and unwraps small
// secrets and never gives a key away. A conformance suite (package keystest) runs over every implementation.
package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
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
	// ErrVersion says that the tenant's key has no version of that number yet: an older copy of the keys has been put
	// back, or the caller has mistaken the key.
	ErrVersion = errors.New("the key has no such version yet")
)

// MaxSecret is the longest secret that can be wrapped, in bytes.
const MaxSecret = 64 << 10

const hidden = "[secret]"

// Secret is key material in the clear. It prints as "[secret]" whatever the verb, and marshals as nothing else. Two
// holes in fmt are not ours to close: it calls no methods on unexported fields, so a struct that keeps a Secret in one
// needs a Format method of its own; nor on what a nested pointer points to under a verb that does not fit, which go vet
// refuses.
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

// Rewrapped is one result of Rewrap: the same secret wrapped with the newest version of the key, or why there is none.
type Rewrapped struct {
	Wrapped string
	Err     error // ErrWrapped, ErrNoKey
}

// Versions are those of a tenant's key, which count from 1.
type Versions struct {
	Newest int // what Wrap and Rewrap use
	Oldest int // the least that Unwrap accepts
	Kept   int // the least that is still stored: below Oldest while a Trim was broken off between its two steps
}

// VersionOf says with which version of its tenant's key a secret was wrapped. Every implementation's wrapping begins
// with a name, ":v", the version and ":" ("vault:v3:…"). ErrWrapped when this one does not.
func VersionOf(wrapped string) (int, error) {
	name, rest, _ := strings.Cut(wrapped, ":v")
	digits, _, ok := strings.Cut(rest, ":")
	version, err := strconv.Atoi(digits)
	if !ok || err != nil || version < 1 || strconv.Itoa(version) != digits || name == "" ||
		strings.Contains(name, ":") {
		return 0, fmt.Errorf("reading the key version of a wrapped secret: %w", ErrWrapped)
	}
	return version, nil
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

// Journals is what the journals' own key is called. It wraps their shipping keys; no tenant may have the name.
const Journals = "journal"

// Service holds one key for each tenant, and one for the journals. Its methods may be called concurrently. Errors wrap
// one of the sentinels above, name the service, and never carry a secret. A missing or empty plaintext is an error,
// never an empty secret.
type Service interface {
	// CreateTenant makes the tenant's key if there is none yet. It is idempotent. The name Journals is refused.
	CreateTenant(ctx context.Context, tenant string) error
	// Wrap encrypts each secret (1 byte to 64 KiB) with the newest version of the tenant's key. The results stand in
	// the order of the secrets; they are printable ASCII with a prefix that names format and key version. All or none:
	// ErrSize if one is empty or too long, ErrNoKey if the tenant has no key. An empty batch gives an empty result.
	Wrap(ctx context.Context, tenant string, secrets []Secret) ([]string, error)
	// Unwrap decrypts each of a batch, in order. An item that cannot be unwrapped has its own Err and spoils no other,
	// also when the tenant has no key at all; the returned error is for the batch as a whole (ErrUnavailable,
	// ErrDenied).
	Unwrap(ctx context.Context, tenant string, wrapped []string) ([]Unwrapped, error)
	// Rewrap wraps each secret of a batch anew with the newest version of the tenant's key, in order, without showing
	// it to the caller. An item that cannot be rewrapped has its own Err and spoils no other. An item that has the
	// newest version already may come back as it was.
	Rewrap(ctx context.Context, tenant string, wrapped []string) ([]Rewrapped, error)
	// Versions describes the tenant's key: ErrNoKey if it has none.
	Versions(ctx context.Context, tenant string) (Versions, error)
	// WrapShipping encrypts a journal's shipping key (1 byte to 64 KiB) under the journals' own key, which is there
	// from the beginning and which no custodian's act reaches: ErrSize, ErrNoKey if the operator has not made the key.
	// The result is as Wrap's.
	WrapShipping(ctx context.Context, secret Secret) (string, error)
	// UnwrapShipping decrypts what WrapShipping gave: ErrWrapped for anything else, a tenant's wrap included; ErrNoKey.
	UnwrapShipping(ctx context.Context, wrapped string) (Secret, error)
	// Check says whether the service can wrap and unwrap now, as one sentence in the error when it cannot.
	Check(ctx context.Context) error
}

// Custodian performs the acts on the keys themselves (NIST SP 800-57 part 1, section 8.3.4). Where keys are held apart
// from the gateway, it acts under the key custodian's own credentials, never the gateway's. Acts on one tenant's key
// are for one caller at a time; two that rotate it at once may both add a version, which does no harm.
type Custodian interface {
	// Rotate adds a version to the tenant's key and returns its number. from is the newest version that the caller
	// knows: when there is a newer one already, none is added and newest is that one, so that a repeated call does not
	// rotate twice. ErrNoKey; ErrVersion if there is no version from; ErrDenied.
	Rotate(ctx context.Context, tenant string, from int) (newest int, err error)
	// Trim destroys every version of the tenant's key below oldest, for good: what they wrapped, in any copy, is
	// unreadable from then on. It destroys no other. It can be repeated, and one that was broken off is finished by the
	// same again. ErrNoKey; ErrVersion if oldest is above the newest version; ErrDenied.
	Trim(ctx context.Context, tenant string, oldest int) error
}
