package seal_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/vault/keys"
	"muniment/vault/keys/keystest"
	"muniment/vault/seal"
)

// mustSeal seals items and gives the rows with their bindings.
func mustSeal(t testing.TB, svc keys.Service, items ...seal.Item) []seal.Sealed {
	t.Helper()
	rows, err := seal.Seal(t.Context(), svc, testTenant, items)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(items) {
		t.Fatalf("sealing %d items gave %d rows", len(items), len(rows))
	}
	out := make([]seal.Sealed, len(rows))
	for i, row := range rows {
		out[i] = seal.Sealed{Binding: items[i].Binding, Value: row}
	}
	return out
}

func mustOpenRows(t testing.TB, svc keys.Service, rows ...seal.Sealed) []seal.Opened {
	t.Helper()
	opened, err := seal.Open(t.Context(), svc, testTenant, rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(opened) != len(rows) {
		t.Fatalf("opening %d rows gave %d", len(rows), len(opened))
	}
	return opened
}

func reasonItem(n byte) seal.Item {
	return seal.Item{Binding: seal.RowBinding(testTenant, "reason", []byte{n}), Text: fmt.Appendf(nil, "reason %d", n)}
}

// checkOpened compares an opened row with the item that was sealed.
func checkOpened(t *testing.T, what string, got seal.Opened, want seal.Item) {
	t.Helper()
	if got.Err != nil || !bytes.Equal(got.Keyset, want.Keyset) || !bytes.Equal(got.Salt, want.Salt) ||
		!bytes.Equal(got.Text, want.Text) {
		t.Errorf("%s does not come back: %v", what, got.Err)
	}
	if (got.Keyset == nil) != (want.Keyset == nil) || (got.Salt == nil) != (want.Salt == nil) {
		t.Errorf("%s: a secret that was nil is not, or the other way round", what)
	}
}

func TestRowsComeBackInOneCall(t *testing.T) {
	t.Parallel()
	svc := keystest.NewFaulty(newKeys(t))
	items := []seal.Item{documentItem(t, 0), reasonItem(1), documentItem(t, 2), reasonItem(3)}
	items[3].Text = nil
	opened := mustOpenRows(t, svc, mustSeal(t, svc, items...)...)
	for i, got := range opened {
		checkOpened(t, fmt.Sprintf("row %d", i), got, items[i])
	}
	if w, u := svc.Calls(keystest.Wrap), svc.Calls(keystest.Unwrap); w != 1 || u != 1 {
		t.Errorf("%d calls to wrap and %d to unwrap, want one each", w, u)
	}
}

func TestNoRowsNeedNoKeyService(t *testing.T) {
	t.Parallel()
	svc := keystest.NewFaulty(newKeys(t))
	mustOpenRows(t, svc, mustSeal(t, svc)...)
	if got := mustOpenRows(t, svc, seal.Sealed{Binding: testBinding, Value: []byte("rubbish")}); !errors.Is(got[0].Err,
		seal.ErrRow) {
		t.Errorf("rubbish: %v, want ErrRow", got[0].Err)
	}
	if w, u := svc.Calls(keystest.Wrap), svc.Calls(keystest.Unwrap); w != 0 || u != 0 {
		t.Errorf("%d calls to wrap and %d to unwrap, want none", w, u)
	}
}

func TestRowsAreFreshAndHideTheirText(t *testing.T) {
	t.Parallel()
	svc := newKeys(t)
	item := documentItem(t, 1)
	rows := mustSeal(t, svc, item, item)
	if bytes.Equal(rows[0].Value, rows[1].Value) {
		t.Error("the same item was sealed alike twice")
	}
	for _, hidden := range [][]byte{item.Text, item.Keyset, item.Salt, item.Binding} {
		if bytes.Contains(rows[0].Value, hidden) {
			t.Error("a row shows what it keeps")
		}
	}
}

// TestRowInAnothersPlace swaps whole rows and parts of them; the neighbours open all the same.
func TestRowInAnothersPlace(t *testing.T) {
	t.Parallel()
	svc := newKeys(t)
	items := []seal.Item{documentItem(t, 0), documentItem(t, 1)}
	rows := mustSeal(t, svc, items...)
	wrapped, texts := make([][]byte, 2), make([][]byte, 2)
	for i, row := range rows {
		wrapped[i], texts[i] = rowParts(t, row.Value)
	}
	for name, bad := range map[string]seal.Sealed{
		"another row":           {Binding: rows[0].Binding, Value: rows[1].Value},
		"another row's text":    {Binding: rows[0].Binding, Value: referenceRow(wrapped[0], texts[1])},
		"another row's payload": {Binding: rows[0].Binding, Value: referenceRow(wrapped[1], texts[0])},
		"no binding":            {Binding: nil, Value: rows[0].Value},
		"a longer binding":      {Binding: append(bytes.Clone(rows[0].Binding), 0), Value: rows[0].Value},
		"a shorter binding":     {Binding: rows[0].Binding[:10], Value: rows[0].Value},
	} {
		opened := mustOpenRows(t, svc, rows[0], bad, rows[1])
		checkOpened(t, "the row before "+name, opened[0], items[0])
		checkOpened(t, "the row after "+name, opened[2], items[1])
		if diff := cmp.Diff(seal.Opened{}, opened[1], cmp.FilterPath(isErr, cmp.Ignore())); diff != "" ||
			!errors.Is(opened[1].Err, seal.ErrRow) {
			t.Errorf("%s: %v, want ErrRow and nothing else: %s", name, opened[1].Err, diff)
		}
	}
}

func isErr(p cmp.Path) bool { return p.String() == "Err" }

func TestEveryByteOfARowCounts(t *testing.T) {
	t.Parallel()
	svc := newKeys(t)
	row := mustSeal(t, svc, reasonItem(1))[0]
	var changed []seal.Sealed
	for i := range row.Value {
		flipped := bytes.Clone(row.Value)
		flipped[i] ^= 0x20
		changed = append(changed, seal.Sealed{Binding: row.Binding, Value: flipped},
			seal.Sealed{Binding: row.Binding, Value: row.Value[:i]})
	}
	changed = append(changed, seal.Sealed{Binding: row.Binding, Value: append(bytes.Clone(row.Value), 0)})
	for i, got := range mustOpenRows(t, svc, changed...) {
		if got.Err == nil || got.Text != nil {
			t.Errorf("byte %d changed, or the row cut there: it opens", i/2)
		}
	}
}

// TestPayloadsOfOtherMakes wraps payloads that Seal does not make, as another holder of the tenant's key might, each
// beside a text that opens under the row key in it.
func TestPayloadsOfOtherMakes(t *testing.T) {
	t.Parallel()
	svc := newKeys(t)
	key := make([]byte, 32)
	whole := referenceFields(testBinding, nil, nil, key)
	for _, test := range []struct {
		name    string
		payload []byte
		rowKey  []byte
		want    error
	}{
		{"as Seal makes it", whole, key, nil},
		{"one byte", whole[:1], key, seal.ErrRow},
		{"three fields", referenceFields(testBinding, nil, nil), key, seal.ErrRow},
		{"five fields", referenceFields(testBinding, nil, nil, key, nil), key, seal.ErrRow},
		{"a byte more", append(bytes.Clone(whole), 0), key, seal.ErrRow},
		{"a byte less", whole[:len(whole)-1], key, seal.ErrRow},
		{"a huge length", []byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3}, key, seal.ErrRow},
		{"a short row key", referenceFields(testBinding, nil, nil, key[:16]), key[:16], seal.ErrRow},
		{"another binding", referenceFields(testBinding[1:], nil, nil, key), key, seal.ErrRow},
	} {
		wrapped, err := svc.Wrap(t.Context(), testTenant, []keys.Secret{test.payload})
		if err != nil {
			t.Fatal(err)
		}
		row := referenceRow([]byte(wrapped[0]), sealText(t, test.rowKey, testBinding))
		if got := mustOpenRows(t, svc, seal.Sealed{Binding: testBinding, Value: row})[0]; !errors.Is(got.Err,
			test.want) {
			t.Errorf("%s: %v, want %v", test.name, got.Err, test.want)
		}
	}
}

// sealText encrypts a row's text under the row key.
func sealText(t *testing.T, rowKey, binding []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(rowKey)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, nil, []byte("text"), append([]byte("MSR\x01"), binding...))
}

func TestNewerRowSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	svc := newKeys(t)
	row := mustSeal(t, svc, reasonItem(1))[0]
	row.Value[3] = 9
	got := mustOpenRows(t, svc, row)[0]
	if !errors.Is(got.Err, seal.ErrNewer) || !strings.Contains(got.Err.Error(), "format 9") {
		t.Errorf("a row of format 9: %v, want ErrNewer with the format", got.Err)
	}
}

func TestRowOfAnotherTenant(t *testing.T) {
	t.Parallel()
	svc := newKeys(t)
	if err := svc.CreateTenant(t.Context(), "tenant-b"); err != nil {
		t.Fatal(err)
	}
	rows := mustSeal(t, svc, reasonItem(1))
	opened, err := seal.Open(t.Context(), svc, "tenant-b", rows)
	if err != nil || !errors.Is(opened[0].Err, keys.ErrWrapped) {
		t.Errorf("another tenant's row: %v, %v; want ErrWrapped", opened, err)
	}
	opened, err = seal.Open(t.Context(), svc, "tenant-none", rows)
	if err != nil || !errors.Is(opened[0].Err, keys.ErrNoKey) {
		t.Errorf("a row of a tenant without a key: %v, %v; want ErrNoKey", opened, err)
	}
}

func TestKeyServiceFails(t *testing.T) {
	t.Parallel()
	svc := keystest.NewFaulty(newKeys(t))
	rows := mustSeal(t, svc, reasonItem(1))
	for _, fault := range []keystest.Fault{keystest.Fail, keystest.FailAfter} {
		svc.Arm(keystest.Wrap, fault)
		if got, err := seal.Seal(t.Context(), svc, testTenant, []seal.Item{reasonItem(1)}); !errors.Is(err,
			keys.ErrUnavailable) || got != nil {
			t.Errorf("sealing: %v, %v; want ErrUnavailable", got, err)
		}
		svc.Arm(keystest.Unwrap, fault)
		if got, err := seal.Open(t.Context(), svc, testTenant, rows); !errors.Is(err, keys.ErrUnavailable) ||
			got != nil {
			t.Errorf("opening: %v, %v; want ErrUnavailable", got, err)
		}
	}
	svc.Arm(keystest.Wrap, keystest.None)
	if _, err := seal.Seal(t.Context(), svc, testTenant, []seal.Item{{Text: []byte("unbound")}}); err == nil {
		t.Error("an item without a binding was sealed")
	}
	huge := seal.Item{Binding: testBinding, Keyset: make(keys.Secret, keys.MaxSecret)}
	if _, err := seal.Seal(t.Context(), svc, testTenant, []seal.Item{huge}); !errors.Is(err, keys.ErrSize) {
		t.Errorf("a payload that is too long: %v, want ErrSize", err)
	}
}

// short is a key service that loses an item of each batch.
type short struct{ keys.Service }

func (s short) Wrap(ctx context.Context, tenant string, secrets []keys.Secret) ([]string, error) {
	out, err := s.Service.Wrap(ctx, tenant, secrets)
	return out[1:], err
}

func (s short) Unwrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Unwrapped, error) {
	out, err := s.Service.Unwrap(ctx, tenant, wrapped)
	return out[1:], err
}

func TestKeyServiceLosesAnItem(t *testing.T) {
	t.Parallel()
	svc := newKeys(t)
	items := []seal.Item{reasonItem(1), reasonItem(2)}
	if got, err := seal.Seal(t.Context(), short{svc}, testTenant, items); err == nil || got != nil {
		t.Errorf("sealing gave %v, %v", got, err)
	}
	if got, err := seal.Open(t.Context(), short{svc}, testTenant, mustSeal(t, svc, items...)); err == nil ||
		got != nil {
		t.Errorf("opening gave %v, %v", got, err)
	}
}

func TestSealLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	item, same := documentItem(t, 1), documentItem(t, 1)
	same.Keyset = bytes.Clone(item.Keyset)
	mustSeal(t, newKeys(t), item)
	if !bytes.Equal(item.Keyset, same.Keyset) || !bytes.Equal(item.Salt, same.Salt) ||
		!bytes.Equal(item.Text, same.Text) || !bytes.Equal(item.Binding, same.Binding) {
		t.Error("Seal changed what it was given")
	}
}

func TestBindingsDiffer(t *testing.T) {
	t.Parallel()
	id := testDoc[:]
	seen := map[string]string{}
	for name, binding := range map[string][]byte{
		"document":            seal.Binding(testTenant, testDoc),
		"another tenant":      seal.Binding("tenant-", testDoc),
		"another document":    seal.Binding(testTenant, [16]byte{}),
		"a row":               seal.RowBinding(testTenant, "reason", id),
		"a row of no kind":    seal.RowBinding(testTenant, "", id),
		"a row, border moved": seal.RowBinding(testTenant+"reason", "", id),
		"a row of other kind": seal.RowBinding(testTenant, "reaso", append([]byte("n"), id...)),
	} {
		if other, ok := seen[string(binding)]; ok {
			t.Errorf("%s and %s have the same binding", name, other)
		}
		seen[string(binding)] = name
	}
}

func FuzzOpenRow(f *testing.F) {
	svc := newKeys(f)
	row := mustSeal(f, svc, reasonItem(1))[0]
	f.Add(row.Value)
	f.Add([]byte("MSR\x01\x00\x00\x00\x01x"))
	f.Add([]byte("MSR\x01\xff\xff\xff\xffx"))
	f.Add([]byte("MSR\x02"))
	f.Fuzz(func(t *testing.T, value []byte) {
		got := mustOpenRows(t, svc, seal.Sealed{Binding: row.Binding, Value: value})[0]
		if bytes.Equal(value, row.Value) != (got.Err == nil) {
			t.Errorf("opening gave %v", got.Err)
		}
		if got.Err != nil && got.Text != nil {
			t.Error("a row with an error has text")
		}
	})
}
