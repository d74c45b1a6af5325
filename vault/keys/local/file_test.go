package local

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"muniment/vault/keys"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	goldenFile    = "testdata/keys.json"
	goldenWrapped = "testdata/wrapped.txt"
	// goldenShipping has a wrap under the journals' key.
	goldenShipping = "testdata/shipping.txt"
	goldenTenant   = "tenant-a"
	goldenSecret   = "a secret that was wrapped long ago"
)

// twoVersions is a file whose only tenant has had its key rotated once.
func twoVersions(t testing.TB) file {
	t.Helper()
	f, err := newFile()
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint32(2) {
		k, err := newVersion(n + 1)
		if err != nil {
			t.Fatal(err)
		}
		f.Tenants[goldenTenant] = append(f.Tenants[goldenTenant], k)
	}
	return f
}

// service gives a Service over a file that was never written.
func (f file) service(t testing.TB) *Service {
	t.Helper()
	st, err := f.state()
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{}
	s.state.Store(st)
	return s
}

func golden(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func updateGolden(t *testing.T) {
	t.Helper()
	f := twoVersions(t)
	s := f.service(t)
	old := f
	old.Tenants = map[string][]fileKey{goldenTenant: f.Tenants[goldenTenant][:1]}
	var lines []string
	for _, svc := range []*Service{old.service(t), s} {
		wrapped, err := svc.Wrap(t.Context(), goldenTenant, []keys.Secret{keys.Secret(goldenSecret)})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, wrapped...)
	}
	shipping, err := s.WrapShipping(t.Context(), keys.Secret(goldenSecret))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	for path, raw := range map[string][]byte{
		goldenFile: s.state.Load().raw, goldenWrapped: []byte(strings.Join(lines, "\n") + "\n"),
		goldenShipping: []byte(shipping + "\n"),
	} {
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGolden(t *testing.T) {
	if *update {
		updateGolden(t)
	}
	raw := golden(t, goldenFile)
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	wrapped := strings.Fields(string(golden(t, goldenWrapped)))
	got, err := s.Unwrap(t.Context(), goldenTenant, wrapped)
	if err != nil || len(got) != 2 {
		t.Fatalf("unwrapping: %d results, %v", len(got), err)
	}
	for i, u := range got {
		if u.Err != nil || string(u.Secret) != goldenSecret {
			t.Errorf("the wrap %d does not open: %v", i, u.Err)
		}
	}
	secret, err := s.UnwrapShipping(t.Context(), strings.TrimSpace(string(golden(t, goldenShipping))))
	if err != nil || string(secret) != goldenSecret {
		t.Errorf("the shipping key does not open: %v", err)
	}
	f, err := parseFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	if again := f.service(t).state.Load().raw; !bytes.Equal(again, raw) {
		t.Errorf("the golden file is written again as\n%s", again)
	}
}

func TestVersions(t *testing.T) {
	f := twoVersions(t)
	wrapped := strings.Fields(string(golden(t, goldenWrapped)))
	if !strings.HasPrefix(wrapped[0], "local:v1:") || !strings.HasPrefix(wrapped[1], "local:v2:") {
		t.Errorf("wraps begin %.9s and %.9s; the second was made after a rotation", wrapped[0], wrapped[1])
	}
	if fresh, err := f.service(t).Wrap(t.Context(), goldenTenant, []keys.Secret{{1}}); err != nil ||
		!strings.HasPrefix(fresh[0], "local:v2:") {
		t.Errorf("wrapping gives %.9v, %v; want the newest version", fresh, err)
	}
	trimmed := f
	trimmed.Tenants = map[string][]fileKey{goldenTenant: f.Tenants[goldenTenant][1:]}
	got, err := trimmed.service(t).Unwrap(t.Context(), goldenTenant, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(got[0].Err, keys.ErrNoKey) {
		t.Errorf("a wrap under a trimmed version: %v, want ErrNoKey", got[0].Err)
	}
	if !errors.Is(got[1].Err, keys.ErrWrapped) { // the golden file's key is another
		t.Errorf("a wrap under another key: %v, want ErrWrapped", got[1].Err)
	}
}

func TestParseWrappedIsStrict(t *testing.T) {
	for _, bad := range []string{"local:v01:AAAA", "local:v+1:AAAA", "local:v:AAAA", "local:v1", "local:v1:AA\nAA",
		"local:v1:AAB=",
		"local:v4294967296:AAAA", "local:v1:AAAA:", "LOCAL:v1:AAAA", " local:v1:AAAA"} {
		if _, _, ok := parseWrapped(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
	if n, sealed, ok := parseWrapped("local:v12:AAAA"); !ok || n != 12 || len(sealed) != 3 {
		t.Errorf("local:v12:AAAA gave %d, %v, %v", n, sealed, ok)
	}
}

// TestTinkReadsTheSame shows that the wraps are Tink's raw AES-GCM, so that a key file can be read without this
// program.
func TestTinkReadsTheSame(t *testing.T) {
	f := twoVersions(t)
	f.Tenants[goldenTenant] = f.Tenants[goldenTenant][:1]
	s := f.service(t)
	first := bytes.NewReader(f.Tenants[goldenTenant][0].Keyset)
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(first))
	if err != nil {
		t.Fatal(err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := s.Wrap(t.Context(), goldenTenant, []keys.Secret{keys.Secret(goldenSecret)})
	if err != nil {
		t.Fatal(err)
	}
	_, sealed, _ := parseWrapped(wrapped[0])
	if got, err := primitive.Decrypt(sealed, []byte(goldenTenant)); err != nil || string(got) != goldenSecret {
		t.Errorf("Tink reads our wrap as %q, %v", got, err)
	}
	sealed, err = primitive.Encrypt([]byte(goldenSecret), []byte(goldenTenant))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Unwrap(t.Context(), goldenTenant, []string{"local:v1:" + base64.StdEncoding.EncodeToString(sealed)})
	if err != nil || string(got[0].Secret) != goldenSecret {
		t.Errorf("we read Tink's as %v, %v", got, err)
	}
}

func TestStrictReading(t *testing.T) {
	good := string(golden(t, goldenFile))
	tests := []struct {
		name, old, new string
		want           error
	}{
		{"as it is", "", "", nil},
		{"no line end", "}\n", "}", nil},
		{"spread out", "{", "{ \n", nil},
		{"newer", `"version": 1,`, `"version": 2,`, ErrNewer},
		{"newer with more in it", `"version": 1,`, `"version": 7, "vault": [{}],`, ErrNewer},
		{"version 0", `"version": 1,`, `"version": 0,`, ErrFile},
		{"no version", `"version": 1,`, ``, ErrFile},
		{"version twice", `"version": 1,`, `"version": 1, "version": 1,`, ErrFile},
		{"unknown member", `"version": 1,`, `"version": 1, "more": 1,`, ErrFile},
		{"unknown inner member", `"keyset":`, `"more": 1, "keyset":`, ErrFile},
		{"other case", `"signers"`, `"Signers"`, ErrFile},
		{"other name", `"signers"`, `"signer"`, ErrFile},
		{"more after it", "}\n", "}\n{}", ErrFile},
		{"tenant twice", `"tenants": {`, `"tenants": {"` + goldenTenant + `": [],`, ErrFile},
		{"tenant without a key", `"tenants": {`, `"tenants": {"a": [],`, ErrFile},
		{"versions out of order", `"version": 2,`, `"version": 1,`, ErrFile},
		{"tenant with the journals' name", `"` + goldenTenant + `": [`, `"journal": [`, ErrFile},
		{"no key for the journals", `"journal": [`, `"journal": [], "journals": [`, ErrFile},
		{"signer cut", `"signers": {`, `"signers": {"another": "AAAA",`, ErrFile},
		{"keyset not base64", `"keyset": "`, `"keyset": "!`, ErrFile},
		{"keyset damaged", `"keyset": "`, `"keyset": "AAAA`, ErrFile},
	}
	for _, test := range tests {
		changed := strings.Replace(good, test.old, test.new, 1)
		if changed == good && test.old != "" && test.old != test.new {
			t.Errorf("%s: the change changes nothing", test.name)
		}
		f, err := parseFile([]byte(changed))
		if err == nil {
			_, err = f.state()
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	for _, bad := range []string{"", "null", "[]", "{}", `{"version":1,"signers":{},"tenants":null}`,
		`{"version":1,"signers":null,"tenants":{}}`,
		`{"version":1,"signers":{},"tenants":{}}`, `{"version":1,"signers":{},"tenants":{},"journal":null}`,
		`{"version":1,"signers":null,"tenants":{},"journal":[]}`} {
		if _, err := parseFile([]byte(bad)); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v, want ErrFile", bad, err)
		}
	}
	if _, err := parseFile([]byte(`{"version":9}`)); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("a newer file: %v, want the version that it needs", err)
	}
	for n := range len(good) - 1 { // without its last byte, a line end, it is whole
		if _, err := parseFile([]byte(good[:n])); err == nil {
			t.Errorf("the first %d of %d bytes were taken for a key file", n, len(good))
		}
	}
}

func TestOtherKeysAreRefused(t *testing.T) {
	for name, template := range map[string]func() (*keyset.Handle, error){
		"short key":   func() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES128GCMKeyTemplate()) },
		"tink prefix": func() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES256GCMKeyTemplate()) },
		"other AEAD": func() (*keyset.Handle,
			error) {
			return keyset.NewHandle(aead.XAES256GCM192BitNonceKeyTemplate())
		},
		"two keys": func() (*keyset.Handle, error) {
			m := keyset.NewManager()
			for range 2 {
				id, err := m.Add(aead.AES256GCMNoPrefixKeyTemplate())
				if err != nil {
					return nil, err
				}
				if err := m.SetPrimary(id); err != nil {
					return nil, err
				}
			}
			return m.Handle()
		},
	} {
		handle, err := template()
		if err != nil {
			t.Fatal(err)
		}
		var raw bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&raw)); err != nil {
			t.Fatal(err)
		}
		if _, err := (fileKey{Version: 1, Keyset: raw.Bytes()}).open(); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v, want ErrFile", name, err)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add(golden(f, goldenFile))
	f.Add([]byte(`{"version":1,"signers":{},"tenants":{},"journal":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		parsed, err := parseFile(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(parsed)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil || !bytes.Equal(compact.Bytes(), again) {
			t.Errorf("accepted, but written again as %s", again)
		}
		_, _ = parsed.state() // must not panic
	})
}

func FuzzUnwrap(f *testing.F) {
	s := twoVersions(f).service(f)
	secret := make(keys.Secret, 40)
	rand.Read(secret)
	wrapped, err := s.Wrap(f.Context(), goldenTenant, []keys.Secret{secret})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wrapped[0])
	f.Add("local:v1:AAAA")
	f.Fuzz(func(t *testing.T, w string) {
		got, err := s.Unwrap(t.Context(), goldenTenant, []string{w})
		if err != nil || len(got) != 1 {
			t.Fatalf("%d results, %v", len(got), err)
		}
		if (got[0].Err == nil) != (w == wrapped[0]) {
			t.Errorf("unwrapping gave error %v", got[0].Err)
		}
	})
}
