package seal_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"muniment/vault/seal"
)

// TestFIPSOnly runs itself again under GODEBUG=fips140=only, where everything that is not approved fails.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	if os.Getenv("GODEBUG") == "fips140=only" {
		testUnderFIPSOnly(t)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run=^TestFIPSOnly$", "-test.v")
	child.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFIPSOnly") {
		t.Errorf("under GODEBUG=fips140=only: %v\n%s", err, out)
	}
}

func testUnderFIPSOnly(t *testing.T) {
	svc := newKeys(t)
	for _, length := range []int64{1000, -1} {
		s := seal.SuiteFor(length, true)
		doc := newSample(t, s, text(firstPlain(s)+restPlain(s)+1))
		item := documentItem(t, 1)
		item.Keyset = doc.keyset
		opened := mustOpenRows(t, svc, mustSeal(t, svc, item)...)[0]
		checkOpened(t, string(s), opened, item)
		doc.keyset = opened.Keyset
		if got, err := doc.decodeAll(t); err != nil || !bytes.Equal(got, doc.content) {
			t.Errorf("%s: the content does not come back: %v", s, err)
		}
		if got, err := doc.tinkDecode(t); err != nil || !bytes.Equal(got, doc.content) {
			t.Errorf("%s: Tink does not read the content: %v", s, err)
		}
	}
	for _, length := range []int64{1000, -1} {
		s := seal.SuiteFor(length, false)
		if _, err := seal.Encrypt(io.Discard, mustKeyset(t, s), testBinding); err == nil ||
			!strings.Contains(err.Error(), "FIPS") {
			t.Errorf("%s: Tink encrypts all the same: %v", s, err)
		}
		ciphertext := make([]byte, s.CiphertextSize(100))
		ciphertext[0] = 40
		old := sample{suite: s, keyset: mustKeyset(t, s), ciphertext: ciphertext}
		if _, err := old.decodeAll(t); err == nil || !strings.Contains(err.Error(), "FIPS") {
			t.Errorf("%s: the decoder decrypts all the same: %v", s, err)
		}
	}
}
