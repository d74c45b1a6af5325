package access_test

import (
	"slices"
	"testing"

	"muniment/vault/access"
)

// TestMatrix: what people review has every role and every act, each once, and says of each what is so.
func TestMatrix(t *testing.T) {
	t.Parallel()
	acts := access.Acts()
	for role, allowed := range permitted {
		if !slices.Contains(access.Roles(), role) {
			t.Errorf("role %s is not in it", role)
		}
		for _, act := range allowed {
			if !slices.Contains(acts, act) {
				t.Errorf("act %s is not in it", act)
			}
		}
	}
	for i, act := range acts {
		if slices.Contains(acts[:i], act) {
			t.Errorf("act %s is in it twice", act)
		}
		for _, role := range access.Roles() {
			if role.Permits(act) != slices.Contains(permitted[role], act) {
				t.Errorf("%s %s: %v", role, act, role.Permits(act))
			}
		}
	}
	for _, pair := range access.Exclusive() {
		_, _, bad := access.Conflict([]access.Grant{{Role: pair[0]}, {Role: pair[1], Series: "s"}})
		if !bad || !slices.Contains(access.Roles(), pair[0]) || !slices.Contains(access.Roles(), pair[1]) {
			t.Errorf("%v go together", pair)
		}
	}
}
