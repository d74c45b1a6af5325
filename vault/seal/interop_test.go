package seal_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"muniment/vault/seal"
)

// TestInteroperability exchanges documents with github.com/google/tink/go v1.7.0, the last release under Tink's old
// name. The two cannot be linked into one binary (both register the same protocol buffers), so the other side is a
// program of its own.
func TestInteroperability(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: it builds a second program, with a module of its own")
	}
	theirs, ours := t.TempDir(), t.TempDir()
	samples := map[string]sample{}
	for _, s := range suites {
		for _, n := range borderSizes(s) {
			name := fmt.Sprintf("%s-%d", s, n)
			sample := newSample(t, s, text(n))
			samples[name] = sample
			for _, dir := range []string{theirs, ours} {
				putFile(t, dir, name+".keyset", sample.keyset)
				putFile(t, dir, name+".binding", testBinding)
			}
			putFile(t, theirs, name+".plain", sample.content)
			putFile(t, ours, name+".ciphertext", sample.ciphertext)
		}
	}
	if out, err := tinkgo("encrypt", theirs); err != nil {
		t.Fatalf("the other side does not encrypt: %v\n%s", err, out)
	}
	if out, err := tinkgo("decrypt", ours); err != nil {
		t.Fatalf("the other side does not read ours: %v\n%s", err, out)
	}
	for name, sample := range samples {
		if !bytes.Equal(takeFile(t, ours, name+".plain"), sample.content) {
			t.Errorf("%s: the other side reads ours as something else", name)
		}
		got, err := sample.damaged(takeFile(t, theirs, name+".ciphertext")).decodeAll(t)
		if err != nil || !bytes.Equal(got, sample.content) {
			t.Errorf("%s: the other side's is not read: %v", name, err)
		}
	}
	// The exchange proves nothing if the other side takes anything for good.
	some := fmt.Sprintf("%s-%d", seal.GCMSmall, 100)
	putFile(t, ours, some+".binding", []byte("another"))
	if out, err := tinkgo("decrypt", ours); err == nil || !bytes.Contains(out, []byte(some)) {
		t.Errorf("the other side reads a document under another binding: %v\n%s", err, out)
	}
}

func tinkgo(args ...string) ([]byte, error) {
	return exec.Command("go", append([]string{"run", "-C", "testdata/tinkgo", "."}, args...)...).CombinedOutput()
}

func putFile(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func takeFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
