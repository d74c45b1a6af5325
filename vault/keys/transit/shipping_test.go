package transit_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"muniment/vault/keys"
)

// TestJournalKeyIsNeverMade: the operator makes it, and the error says how.
func TestJournalKeyIsNeverMade(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	svc := k.gateway(t)
	wrapped, err := svc.WrapShipping(t.Context(), keys.Secret("shipping"))
	if err != nil {
		t.Fatal(err)
	}
	k.do(t, http.MethodPost, "transit/keys/muniment-journal/config", map[string]any{"deletion_allowed": true})
	k.do(t, http.MethodDelete, "transit/keys/muniment-journal", nil)
	_, wrapping := svc.WrapShipping(t.Context(), keys.Secret("shipping"))
	_, unwrapping := svc.UnwrapShipping(t.Context(), wrapped)
	for what, err := range map[string]error{"wrapping": wrapping, "unwrapping": unwrapping} {
		if !errors.Is(err, keys.ErrNoKey) || !strings.Contains(err.Error(),
			"vault write -f "+k.vault.Transit+"/keys/muniment-journal type=aes256-gcm96") {
			t.Errorf("%s without the journals' key: %v; want ErrNoKey, and how to make it", what, err)
		}
	}
	status, _ := k.vault.Try(t, http.MethodGet, "transit/keys/muniment-journal", k.vault.RootToken, nil)
	if status != http.StatusNotFound {
		t.Errorf("it was made: status %d", status)
	}
}

// TestJournalKeyThatIsElsewhere: a key of which there may be a copy authenticates nothing any more.
func TestJournalKeyThatIsElsewhere(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"exportable": "exported", "allow_plaintext_backup": "exported", "deletion_allowed": "deletion_allowed=false",
	} {
		k := newKit(t)
		svc := k.gateway(t)
		wrapped, err := svc.WrapShipping(t.Context(), keys.Secret("shipping"))
		if err != nil {
			t.Fatal(err)
		}
		k.do(t, http.MethodPost, "transit/keys/muniment-journal/config", map[string]any{setting: true})
		_, wrapping := svc.WrapShipping(t.Context(), keys.Secret("shipping"))
		got, unwrapping := svc.UnwrapShipping(t.Context(), wrapped)
		for what, err := range map[string]error{"wrapping": wrapping, "unwrapping": unwrapping} {
			if !errors.Is(err, keys.ErrDenied) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s with %s: %v; want ErrDenied with %q", what, setting, err, want)
			}
		}
		if len(got) > 0 {
			t.Errorf("with %s the shipping key was given all the same", setting)
		}
	}
}
