package seal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"muniment/vault/keys"
	"muniment/vault/keys/keystest"
	"muniment/vault/seal"
)

// TestEnvelope: the key service is asked before there is a text, and not again.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	svc := keystest.NewFaulty(newKeys(t))
	item := seal.Item{Binding: seal.RowBinding(testTenant, "note", []byte("1")), Keyset: keys.Secret("keyset"),
		Salt: keys.Secret("salt")}
	envelopes, err := seal.Address(t.Context(), svc, testTenant, []seal.Item{item})
	if err != nil {
		t.Fatal(err)
	}
	svc.Arm(keystest.Wrap, keystest.Fail)
	row, err := envelopes[0].Seal([]byte("the text"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := seal.Open(t.Context(), svc, testTenant, []seal.Sealed{{Binding: item.Binding, Value: row}})
	if err != nil || opened[0].Err != nil {
		t.Fatal(err, opened[0].Err)
	}
	if got := opened[0]; string(got.Text) != "the text" || string(got.Keyset) != "keyset" ||
		string(got.Salt) != "salt" {
		t.Errorf("it keeps %q, %q, %q", got.Text, []byte(got.Keyset), []byte(got.Salt))
	}
	if again, err := envelopes[0].Seal([]byte("another text")); !errors.Is(err, seal.ErrSealed) || again != nil {
		t.Errorf("a second text under one key: %v, want ErrSealed", err)
	}
	if _, err := seal.Address(t.Context(), svc, testTenant, []seal.Item{item}); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("while the key service is down: %v, want ErrUnavailable", err)
	}
}

func TestAnEnvelopePrintsNoKey(t *testing.T) {
	t.Parallel()
	envelopes, err := seal.Address(t.Context(), newKeys(t), testTenant,
		[]seal.Item{{Binding: []byte("binding"), Salt: keys.Secret("salt")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		if out := fmt.Sprintf(verb, envelopes[0]); !strings.Contains(out, "envelope") || len(out) > 20 {
			t.Errorf("%s prints %q", verb, out)
		}
	}
}
