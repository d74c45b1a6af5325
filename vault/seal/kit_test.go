package seal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tinkkeyset "github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"

	"muniment/anchor/journal"
	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/seal"
)

const testTenant = "tenant-a"

var (
	suites      = []seal.Suite{seal.GCMSmall, seal.GCMLarge, seal.CTRSmall, seal.CTRLarge}
	testDoc     = journal.ID{0: 1, 6: 0x70, 8: 0x80, 15: 1}
	testBinding = seal.Binding(testTenant, testDoc)
)

// segmentSize is the suites' ciphertext segment, as the names say it.
func segmentSize(s seal.Suite) int64 {
	if s == seal.GCMSmall || s == seal.CTRSmall {
		return 16 << 10
	}
	return 1 << 20
}

// firstPlain and restPlain are the plaintext bytes of a full first segment and of any other full one.
func firstPlain(s seal.Suite) int64 { return restPlain(s) - 40 }

func restPlain(s seal.Suite) int64 {
	if s == seal.GCMSmall || s == seal.GCMLarge {
		return segmentSize(s) - 16
	}
	return segmentSize(s) - 32
}

// sample is an encrypted document.
type sample struct {
	suite               seal.Suite
	keyset              keys.Secret
	content, ciphertext []byte
}

func mustKeyset(t testing.TB, s seal.Suite) keys.Secret {
	t.Helper()
	keyset, err := seal.NewKeyset(s)
	if err != nil {
		t.Fatal(err)
	}
	return keyset
}

// newSample encrypts content under a fresh keyset.
func newSample(t testing.TB, s seal.Suite, content []byte) sample {
	t.Helper()
	keyset := mustKeyset(t, s)
	return sample{suite: s, keyset: keyset, content: content, ciphertext: encrypt(t, keyset, content)}
}

func encrypt(t testing.TB, keyset keys.Secret, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := seal.Encrypt(&out, keyset, testBinding)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// source serves the ciphertext as an object store does: what was asked for, or less if the object is shorter.
func (s sample) source(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	size := int64(len(s.ciphertext))
	from, to := min(offset, size), min(offset+length, size)
	return io.NopCloser(bytes.NewReader(s.ciphertext[from:to])), nil
}

// damaged is the sample with another ciphertext.
func (s sample) damaged(ciphertext []byte) sample {
	s.ciphertext = ciphertext
	return s
}

// decode reads a span as if the ciphertext had the size that it has.
func (s sample) decode(t testing.TB, binding []byte, offset, length int64) ([]byte, error) {
	t.Helper()
	d, err := seal.NewDecoder(s.keyset, binding, int64(len(s.ciphertext)), s.source)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = d.WriteSpan(t.Context(), &out, offset, length)
	return out.Bytes(), err
}

// decodeAll reads the whole content.
func (s sample) decodeAll(t testing.TB) ([]byte, error) {
	t.Helper()
	d, err := seal.NewDecoder(s.keyset, testBinding, int64(len(s.ciphertext)), s.source)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = d.WriteSpan(t.Context(), &out, 0, d.Size())
	return out.Bytes(), err
}

// tinkPrimitive is Tink's own reading of one of our keysets.
func tinkPrimitive(t testing.TB, keyset keys.Secret) tink.StreamingAEAD {
	t.Helper()
	handle, err := insecurecleartextkeyset.Read(tinkkeyset.NewBinaryReader(bytes.NewReader(keyset)))
	if err != nil {
		t.Fatal(err)
	}
	primitive, err := streamingaead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	return primitive
}

// tinkDecode reads the whole content with Tink's reader.
func (s sample) tinkDecode(t testing.TB) ([]byte, error) {
	t.Helper()
	r, err := tinkPrimitive(t, s.keyset).NewDecryptingReader(bytes.NewReader(s.ciphertext), testBinding)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// newKeys is a local key service with the tenant in it.
func newKeys(t testing.TB) keys.Service {
	t.Helper()
	svc, err := local.Create(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := svc.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := svc.CreateTenant(t.Context(), testTenant); err != nil {
		t.Fatal(err)
	}
	return svc
}

// documentItem is what the vault would seal for its nth document.
func documentItem(t testing.TB, n byte) seal.Item {
	t.Helper()
	return seal.Item{
		Binding: seal.Binding(testTenant, journal.ID{0: 1, 6: 0x70, 8: 0x80, 15: n}),
		Keyset:  mustKeyset(t, seal.GCMSmall),
		Salt:    bytes.Repeat([]byte{n + 1}, 32),
		Text:    fmt.Appendf(nil, `{"title":"document %d"}`, n),
	}
}
