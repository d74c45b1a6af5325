package doctor

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/openapi"
)

// TestATrialThatALockDidNotStand names what was possible.
func TestATrialThatALockDidNotStand(t *testing.T) {
	t.Parallel()
	all := openapi.StorageTrial{Key: "k", Locks: true, RefusesDelete: true, RefusesShorter: true, KeepsVersions: true}
	for broken, spoil := range map[string]func(*openapi.StorageTrial){
		"the lock that came with the upload did not stand": func(a *openapi.StorageTrial) { a.Locks = false },
		"a locked version could be deleted":                func(a *openapi.StorageTrial) { a.RefusesDelete = false },
		"a lock could be shortened":                        func(a *openapi.StorageTrial) { a.RefusesShorter = false },
		"a locked version could be overwritten":            func(a *openapi.StorageTrial) { a.KeepsVersions = false },
		"":                                                 func(*openapi.StorageTrial) {},
	} {
		trial, r := all, &report{}
		spoil(&trial)
		(&doctor{}).judgeTrial(r, &trial, "on record at %d", 7)
		line := r.end()[0]
		if (line.State == isFailure) != (broken != "") || !strings.HasPrefix(line.Found, broken) ||
			!strings.HasSuffix(line.Found, "on record at 7") {
			t.Errorf("%q: %+v", broken, line)
		}
	}
}

// TestACheckThatHangsEndsAlone: what it had found is kept, it is said to hang, and what it says later is lost.
func TestACheckThatHangsEndsAlone(t *testing.T) {
	t.Parallel()
	release, late := make(chan struct{}), make(chan struct{})
	lines := examine(t.Context(), time.Millisecond, examination{"a thing", func(_ context.Context, r *report) {
		defer close(late)
		r.ok("part", "well")
		<-release // it does not heed its context
		r.fail("part", "", "too late")
	}})
	close(release)
	<-late
	want := []diagnosis{
		{Check: "a thing: part", State: isWell, Found: "well"},
		{Check: "a thing", State: isFailure, Found: "it came to no end within 1ms",
			Next: "find out what hangs: the lines above and below say what answers"},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhereAnAddressIs(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]network{
		"127.0.0.1:80": thisMachine, "localhost:80": thisMachine, "[::1]:80": thisMachine,
		"10.1.2.3:80": privateNetwork, "192.168.0.9:80": privateNetwork,
		"[fd00::1]:80": privateNetwork, "169.254.1.1:80": privateNetwork,
		"0.0.0.0:80": anyNetwork, ":80": anyNetwork, "[::]:80": anyNetwork, "192.0.2.7:80": anyNetwork,
		"records.example.org:80": anyNetwork, "": anyNetwork,
	} {
		if _, got := networkOf(address); got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
	for address, want := range map[string]string{
		"127.0.0.1:80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", ":80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80",
		"10.1.2.3:80": "10.1.2.3:80",
	} {
		if got := reachable(address); got != want {
			t.Errorf("%q is reached at %q, want %q", address, got, want)
		}
	}
}
