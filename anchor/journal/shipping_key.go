package journal

import (
	"context"
	"errors"
)

// ErrKeysUnavailable says that the key service cannot unwrap the shipping key now. A journal that agrees with the
// released head then starts provisionally.
var ErrKeysUnavailable = errors.New("the key service is not available")

// ShippingKeys wraps the key that authenticates what a journal ships. It is a key of the key service's own, never a
// tenant's, so that no trim of a tenant's key can reach it.
type ShippingKeys interface {
	// Wrap encrypts a secret; the result is printable ASCII.
	Wrap(ctx context.Context, secret []byte) (wrapped string, err error)
	// Unwrap decrypts what Wrap gave. An error that wraps ErrKeysUnavailable says that it cannot be told now whether
	// that can be unwrapped; any other, that it cannot.
	Unwrap(ctx context.Context, wrapped string) (secret []byte, err error)
}
