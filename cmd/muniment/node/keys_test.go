package node

import (
	"errors"
	"path/filepath"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault/keys"
	"muniment/vault/keys/keystest"
	"muniment/vault/keys/local"
)

// TestShippingKeysTellUnavailable: a key service that is away, or refuses our login, is another thing than one that
// says that the shipping key is none of its own.
func TestShippingKeysTellUnavailable(t *testing.T) {
	t.Parallel()
	svc, err := local.Create(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	faulty := keystest.NewFaulty(svc)
	shipping := ShippingKeys{Keys: faulty}
	wrapped, err := shipping.Wrap(t.Context(), []byte("shipping key"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := shipping.Unwrap(t.Context(), wrapped); err != nil || string(got) != "shipping key" {
		t.Errorf("unwrapping: %v", err)
	}
	for fault, want := range map[keystest.Fault]error{
		keystest.Fail: keys.ErrUnavailable, keystest.Deny: keys.ErrDenied,
	} {
		faulty.Arm(keystest.WrapShipping, fault)
		faulty.Arm(keystest.UnwrapShipping, fault)
		_, wrapping := shipping.Wrap(t.Context(), []byte("shipping key"))
		_, unwrapping := shipping.Unwrap(t.Context(), wrapped)
		for what, err := range map[string]error{"wrapping": wrapping, "unwrapping": unwrapping} {
			if !errors.Is(err, journal.ErrKeysUnavailable) || !errors.Is(err, want) {
				t.Errorf("%s: %v; want both journal.ErrKeysUnavailable and %q", what, err, want)
			}
		}
	}
	faulty.Arm(keystest.UnwrapShipping, keystest.None)
	if _, err := shipping.Unwrap(t.Context(), wrapped+"AAAA"); !errors.Is(err, keys.ErrWrapped) ||
		errors.Is(err, journal.ErrKeysUnavailable) {
		t.Errorf("unwrapping another's: %v; want ErrWrapped alone", err)
	}
}
