package node

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestTooFewAddressesAreNoDamage: whoever limits addresses is told to lift that limit, and not to move a file away.
func TestTooFewAddressesAreNoDamage(t *testing.T) {
	t.Parallel()
	if got := backendAdvice(fmt.Errorf("opening: %w", syscall.ENOMEM)); !strings.Contains(got, "ulimit -v") {
		t.Errorf("it says %q", got)
	}
	if got := backendAdvice(syscall.EIO); !strings.Contains(got, "muniment restore") {
		t.Errorf("it says %q", got)
	}
}
