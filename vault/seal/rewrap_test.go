package seal_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/seal"
)

// A row that is rewrapped holds what it held, under the newest version of the key, and needs no other.
func TestRewrap(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	svc, err := local.Create(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	if err := svc.CreateTenant(ctx, testTenant); err != nil {
		t.Fatal(err)
	}
	items := []seal.Item{
		{Binding: testBinding, Keyset: mustKeyset(t, seal.GCMSmall), Salt: bytes.Repeat([]byte{7}, 32),
			Text: []byte("names")},
		reasonItem(1), {Binding: testBinding, Text: nil},
	}
	rows := mustSeal(t, svc, items...)
	if _, err := svc.Rotate(ctx, testTenant, 1); err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		before := bytes.Clone(row.Value)
		wrapped, err := seal.Wrapped(row.Value)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := svc.Rewrap(ctx, testTenant, []string{wrapped})
		if err != nil || fresh[0].Err != nil {
			t.Fatal(err, fresh[0].Err)
		}
		rows[i].Value, err = seal.Rewrap(row.Value, fresh[0].Wrapped)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := seal.Wrapped(rows[i].Value); err != nil || again != fresh[0].Wrapped {
			t.Errorf("row %d holds another wrapping, error %v", i, err)
		}
		if !bytes.Equal(before, row.Value) {
			t.Errorf("row %d was changed in place", i)
		}
	}
	if err := svc.Trim(ctx, testTenant, 2); err != nil {
		t.Fatal(err)
	}
	for i, got := range mustOpenRows(t, svc, rows...) {
		checkOpened(t, "a rewrapped row", got, items[i])
	}
}

// A payload that was wrapped for one row does not open another.
func TestRewrapExchanged(t *testing.T) {
	t.Parallel()
	svc := newKeys(t)
	rows := mustSeal(t, svc, reasonItem(1), reasonItem(2))
	first, err := seal.Wrapped(rows[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	rows[1].Value, err = seal.Rewrap(rows[1].Value, first)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustOpenRows(t, svc, rows[1]); !errors.Is(got[0].Err, seal.ErrRow) {
		t.Errorf("a row with another's wrapping opens: %v", got[0].Err)
	}
}

// FuzzRewrap puts any wrapping into any row: what is no row is refused, and what is one keeps all but its wrapping.
func FuzzRewrap(f *testing.F) {
	row := mustSeal(f, newKeys(f), reasonItem(1))[0].Value
	f.Add(row, "vault:v2:abc")
	f.Add(row[:9], "")
	f.Add([]byte("MSR\x02\x00\x00\x00\x01xy"), "vault:v2:abc")
	f.Fuzz(func(t *testing.T, row []byte, wrapped string) {
		old, err := seal.Wrapped(row)
		if err != nil && !errors.Is(err, seal.ErrRow) && !errors.Is(err, seal.ErrNewer) {
			t.Errorf("an error of no kind: %v", err)
		}
		fresh, rewrapErr := seal.Rewrap(row, wrapped)
		if (rewrapErr == nil) != (err == nil && wrapped != "") {
			t.Fatalf("reading says %v, rewrapping %v", err, rewrapErr)
		}
		if rewrapErr != nil {
			return
		}
		if got, err := seal.Wrapped(fresh); err != nil || got != wrapped {
			t.Errorf("the wrapping is %q, error %v, want %q", got, err, wrapped)
		}
		if back, err := seal.Rewrap(fresh, old); err != nil || !bytes.Equal(back, row) {
			t.Errorf("the way back gives another row, error %v", err)
		}
		if version, err := keys.VersionOf(old); err == nil && version < 1 {
			t.Errorf("version %d", version)
		}
	})
}
