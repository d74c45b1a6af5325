package transit_test

import (
	"fmt"
	"testing"

	"muniment/vault/keys"
	"muniment/vault/keys/keystest"
)

// The suite runs under the shipped policies, each test with keys of its own in one Vault.
func TestConformance(t *testing.T) {
	t.Parallel()
	k, n := newKit(t), 0
	keystest.Run(t, func(t *testing.T) (keys.Service, keys.Custodian) {
		n++
		own := k.with(t, fmt.Sprintf("suite-%d", n))
		return own.gateway(t), own.custodian(t)
	})
}
