package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/seal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The golden files. Content byte i is textAt(i). A ciphertext's random parts are its keyset and header, so these and
// the digest pin it; short ones stand there whole.
const (
	goldenContent = "testdata/content.json"
	goldenRows    = "testdata/rows.json"
	goldenKeys    = "testdata/keys.json"
)

type contentVector struct {
	Suite            seal.Suite `json:"suite"`
	Keyset           []byte     `json:"keyset"`
	Binding          []byte     `json:"binding"`
	ContentLength    int64      `json:"content_length"`
	CiphertextLength int64      `json:"ciphertext_length"`
	Header           []byte     `json:"header"`
	CiphertextSHA256 []byte     `json:"ciphertext_sha256"`
	Ciphertext       []byte     `json:"ciphertext,omitempty"`
}

type rowVector struct {
	Tenant     string `json:"tenant"`
	Binding    []byte `json:"binding"`
	Keyset     []byte `json:"keyset,omitempty"`
	Salt       []byte `json:"salt,omitempty"`
	Text       []byte `json:"text"`
	Row        []byte `json:"row"`
	Content    []byte `json:"content,omitempty"` // of which the commitment is
	Commitment []byte `json:"commitment,omitempty"`
}

func readGolden(t testing.TB, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func writeGolden(t *testing.T, path string, vectors any) {
	t.Helper()
	raw, err := json.MarshalIndent(vectors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func updateContent(t *testing.T) {
	t.Helper()
	var vectors []contentVector
	for _, s := range suites {
		keyset := mustKeyset(t, s)
		for _, n := range []int64{0, 1, 300, firstPlain(s), firstPlain(s) + 1, firstPlain(s) + restPlain(s) + 5} {
			ciphertext := encrypt(t, keyset, text(n))
			digest := sha256.Sum256(ciphertext)
			v := contentVector{Suite: s, Keyset: keyset, Binding: testBinding, ContentLength: n,
				CiphertextLength: int64(len(ciphertext)), Header: ciphertext[:40], CiphertextSHA256: digest[:]}
			if n <= 300 {
				v.Ciphertext = ciphertext
			}
			vectors = append(vectors, v)
		}
	}
	writeGolden(t, goldenContent, vectors)
}

func TestGoldenContent(t *testing.T) {
	t.Parallel()
	if *update {
		updateContent(t)
	}
	var vectors []contentVector
	readGolden(t, goldenContent, &vectors)
	seen := map[seal.Suite]int{}
	for _, v := range vectors {
		seen[v.Suite]++
		what := fmt.Sprintf("%s, %d bytes", v.Suite, v.ContentLength)
		content := text(v.ContentLength)
		ciphertext := referenceEncrypt(t, v.Suite, v.Keyset, v.Header, v.Binding, content)
		if digest := sha256.Sum256(ciphertext); !bytes.Equal(digest[:], v.CiphertextSHA256) {
			t.Errorf("%s: written again, it is another ciphertext", what)
		}
		if v.Ciphertext != nil && !bytes.Equal(v.Ciphertext, ciphertext) {
			t.Errorf("%s: written again, it is not the ciphertext on file", what)
		}
		if got := v.Suite.CiphertextSize(v.ContentLength); got != v.CiphertextLength || got != int64(len(ciphertext)) {
			t.Errorf("%s: CiphertextSize gives %d, want %d", what, got, v.CiphertextLength)
		}
		if got, err := v.Suite.PlaintextSize(v.CiphertextLength); err != nil || got != v.ContentLength {
			t.Errorf("%s: PlaintextSize gives %d, %v", what, got, err)
		}
		if got, err := seal.SuiteOf(v.Keyset); err != nil || got != v.Suite {
			t.Errorf("%s: SuiteOf gives %s, %v", what, got, err)
		}
		if !bytes.Equal(v.Binding, testBinding) {
			t.Errorf("%s: Binding gives %x, want %x", what, testBinding, v.Binding)
		}
		sample := sample{suite: v.Suite, keyset: v.Keyset, content: content, ciphertext: ciphertext}
		if got, err := sample.decodeAll(t); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: the decoder does not read it: %v", what, err)
		}
		if got, err := sample.tinkDecode(t); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: Tink does not read it: %v", what, err)
		}
		half := v.ContentLength / 2
		if got, err := sample.decode(t, v.Binding, half, v.ContentLength-half); err != nil ||
			!bytes.Equal(got, content[half:]) {
			t.Errorf("%s: the decoder does not read a span of it: %v", what, err)
		}
	}
	for _, s := range suites {
		if seen[s] == 0 {
			t.Errorf("no vector for %s", s)
		}
	}
}

func updateRows(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	svc, err := local.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.CreateTenant(t.Context(), testTenant); err != nil {
		t.Fatal(err)
	}
	document := documentItem(t, 1)
	var vectors []rowVector
	for i, row := range mustSeal(t, svc, document, reasonItem(2)) {
		item := []seal.Item{document, reasonItem(2)}[i]
		v := rowVector{Tenant: testTenant, Binding: item.Binding, Keyset: item.Keyset, Salt: item.Salt, Text: item.Text,
			Row: row.Value}
		if item.Salt != nil {
			v.Content = []byte("SYNTHETIC")
			sum := seal.Commitment(item.Salt, sha256.Sum256(v.Content))
			v.Commitment = sum[:]
		}
		vectors = append(vectors, v)
	}
	writeGolden(t, goldenRows, vectors)
	if err := svc.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenKeys, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// goldenService opens a copy of the golden key file, with the mode that Open wants.
func goldenService(t *testing.T) keys.Service {
	t.Helper()
	raw, err := os.ReadFile(goldenKeys)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	svc, err := local.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := svc.Close(); err != nil {
			t.Error(err)
		}
	})
	return svc
}

func TestGoldenRows(t *testing.T) {
	t.Parallel()
	if *update {
		updateRows(t)
	}
	var vectors []rowVector
	readGolden(t, goldenRows, &vectors)
	if len(vectors) != 2 {
		t.Fatalf("%d vectors, want a document's and another row's", len(vectors))
	}
	svc := goldenService(t)
	for i, v := range vectors {
		opened, err := seal.Open(t.Context(), svc, v.Tenant, []seal.Sealed{{Binding: v.Binding, Value: v.Row}})
		if err != nil {
			t.Fatal(err)
		}
		checkOpened(t, fmt.Sprintf("golden row %d", i), opened[0],
			seal.Item{Keyset: v.Keyset, Salt: v.Salt, Text: v.Text})
		checkRowFormat(t, svc, v)
		if v.Commitment == nil {
			continue
		}
		if got := seal.Commitment(v.Salt, sha256.Sum256(v.Content)); !bytes.Equal(got[:], v.Commitment) {
			t.Errorf("golden row %d: the commitment is %x, want %x", i, got, v.Commitment)
		}
	}
}

// checkRowFormat takes a row apart by hand, as the format says, and puts it together again.
func checkRowFormat(t *testing.T, svc keys.Service, v rowVector) {
	t.Helper()
	wrapped, sealed := rowParts(t, v.Row)
	unwrapped, err := svc.Unwrap(t.Context(), v.Tenant, []string{string(wrapped)})
	if err != nil || unwrapped[0].Err != nil {
		t.Fatalf("unwrapping the payload: %v, %v", err, unwrapped)
	}
	payload := []byte(unwrapped[0].Secret)
	rowKey := payload[len(payload)-32:]
	if !bytes.Equal(payload, referenceFields(v.Binding, v.Keyset, v.Salt, rowKey)) {
		t.Error("the payload is not binding, keyset, salt and row key, each behind its length")
	}
	block, err := aes.NewCipher(rowKey)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := sealed[:12]
	again := aead.Seal(bytes.Clone(nonce), nonce, v.Text, append([]byte("MSR\x01"), v.Binding...))
	if !bytes.Equal(referenceRow(wrapped, again), v.Row) {
		t.Error("written again, it is another row")
	}
}

func TestGoldenBindings(t *testing.T) {
	t.Parallel()
	want := "\x00\x00\x00\x14muniment document v1\x00\x00\x00\x08tenant-a\x00\x00\x00\x10" + string(testDoc[:])
	if got := seal.Binding(testTenant, testDoc); string(got) != want {
		t.Errorf("Binding = %q, want %q", got, want)
	}
	want = "\x00\x00\x00\x0fmuniment row v1\x00\x00\x00\x08tenant-a\x00\x00\x00\x06reason" +
		string(binary.BigEndian.AppendUint32(nil, 2)) + "id"
	if got := seal.RowBinding(testTenant, "reason", []byte("id")); string(got) != want {
		t.Errorf("RowBinding = %q, want %q", got, want)
	}
}
