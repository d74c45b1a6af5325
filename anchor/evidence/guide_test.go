package evidence_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muniment/anchor/evidence"
	"muniment/anchor/processtest"
)

// guideScript takes the shell commands out of the auditor's guide and writes them to a file.
func guideScript(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the guide's commands start some hundred processes; left out by -short")
	}
	for _, tool := range []string{"sh", "openssl", "sha256sum", "curl", "base64", "sed", "od", "cmp"} {
		if _, err := exec.LookPath(tool); err != nil {
			processtest.Missing(t, tool+", which the guide's commands call, is missing",
				"the system's packages have it")
		}
	}
	guide, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(guide), "\n```sh\n")
	script, after, ended := strings.Cut(rest, "\n```\n")
	if !found || !ended || strings.Contains(after, "\n```sh\n") {
		t.Fatal("the guide does not have exactly one block of shell commands")
	}
	name := filepath.Join(t.TempDir(), "check.sh")
	if err := os.WriteFile(name, []byte(script+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestGuidePolicy: the policy that the guide shows is one that the verifier accepts for the golden file.
func TestGuidePolicy(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "\n```json\n")
	shown, _, _ := strings.Cut(rest, "\n```\n")
	p, err := evidence.ParsePolicy([]byte(shown))
	if err != nil {
		t.Fatal(err)
	}
	v := vectors()[0]
	in := v.input(t, golden(t, v.name+".json", must(evidence.Marshal(v.file))))
	in.Policy = p
	if got := evidence.Verify(in).Verdict; got != evidence.Verified {
		t.Errorf("verdict %q", got)
	}
}

// logServer serves a log as C2SP tlog-tiles, as far as the guide fetches it; each request goes through change.
func logServer(t *testing.T, l *testLog, size int, change func(path string, answer []byte) []byte) string {
	t.Helper()
	answers := map[string][]byte{"/v1/journal/checkpoint": []byte(logKey.sign(headLines(origin, l, size)))}
	hashes := make([][]byte, size)
	for i := range hashes {
		hashes[i] = leafHash(l.entries[i])
	}
	for level := 0; len(hashes) > 0; level++ {
		var above [][]byte
		for n := 0; n*256 < len(hashes); n++ {
			row := hashes[n*256 : min(n*256+256, len(hashes))]
			name := fmt.Sprintf("/v1/journal/tile/%d/%03d", level, n)
			if len(row) < 256 {
				name += fmt.Sprintf(".p/%d", len(row))
			} else {
				first := n << (8 * (level + 1))
				above = append(above, mth(l.entries[first:first+1<<(8*(level+1))]))
			}
			answers[name] = bytes.Join(row, nil)
		}
		hashes = above
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if change != nil {
			answer = change(r.URL.Path, bytes.Clone(answer))
		}
		w.Write(answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// runGuide runs the guide's commands and returns what they print.
func runGuide(t *testing.T, script, evidenceFile, documentFile, url string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", script, evidenceFile, documentFile, filepath.Join("testdata", "policy.json"))
	cmd.Env = append(os.Environ(), "MUNIMENT_URL="+url, "no_proxy=127.0.0.1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func save(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestGuide runs the auditor's guide's shell commands on the golden files: every step must hold, and no other file's
// may.
func TestGuide(t *testing.T) {
	t.Parallel()
	script := guideScript(t)
	l := goldenLog()
	url := logServer(t, l, liveSize, nil)

	story := goldenFile(l, depositIndex, readIndex, erasedIndex)
	story.Disclosure = disclosure()
	for name, data := range map[string][]byte{
		"golden":  golden(t, "disclosed.json", must(evidence.Marshal(vectors()[0].file))),
		"a story": must(evidence.Marshal(story)),
	} {
		out, err := runGuide(t, script, save(t, data), filepath.Join("testdata", "document.txt"), url)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		for _, line := range []string{
			"document    060ffe2b", "commitment  JNTi", "leaf        record 301 leads to the root 4boG",
			"signature   " + origin, "ledger      " + ledgerID + ", block 4", "live leaf   record 301",
			"live root   the first 523 leaves",
			"live root   the tiles of all 531 leaves",
		} {
			if !strings.Contains("\n"+out, "\n"+line) {
				t.Errorf("%s: there is no line %q in\n%s", name, line, out)
			}
		}
		if name == "a story" && !strings.Contains(out, "leaf        record 466") {
			t.Errorf("the last record was not checked:\n%s", out)
		}
	}
}

// TestGuideNotices breaks each step that the guide checks by hand.
func TestGuideNotices(t *testing.T) {
	t.Parallel()
	script := guideScript(t)
	l := goldenLog()
	head := headLines(origin, l, anchoredSize)
	tests := []struct {
		name   string
		change func(f *evidence.File)
		live   func(path string, answer []byte) []byte
		say    string
	}{
		{name: "document", say: "document: ", change: func(f *evidence.File) {
			f.Disclosure.Digest = strings.Repeat("0", 64)
		}},
		{name: "salt", say: "commitment: ", change: func(f *evidence.File) { f.Disclosure.Salt[0] ^= 1 }},
		{name: "another document's body", say: "body: ", change: func(f *evidence.File) {
			f.Document = strings.Replace(f.Document, "d1", "d2", 1)
		}},
		{name: "body", say: "leaf: record 301 is not", change: func(f *evidence.File) {
			f.Bodies[0].Body = strings.Replace(f.Bodies[0].Body, `"seq":7`, `"seq":8`, 1)
		}},
		{name: "nonce", say: "leaf: record 301 is not", change: func(f *evidence.File) { f.Bodies[0].Nonce[3] ^= 4 }},
		{name: "a hash of the proof", say: "leaf: record 301 is not", change: func(f *evidence.File) {
			f.Bodies[0].Proof[5][9] ^= 1
		}},
		{name: "a short proof", say: "is too short", change: func(f *evidence.File) {
			f.Bodies[0].Proof = f.Bodies[0].Proof[:4]
		}},
		{name: "a long proof", say: "is too long", change: func(f *evidence.File) {
			f.Bodies[0].Proof = append(f.Bodies[0].Proof, f.Bodies[0].Proof...)
		}},
		{name: "signature", say: "signature: ", change: func(f *evidence.File) {
			f.Checkpoint = newKey(origin, "x").sign(head)
		}},
		{name: "ledger's signature", say: "ledger: the block is not signed", change: func(f *evidence.File) {
			f.Anchors[0].Proof = localProof(newKey(ledgerID, "x").sign(blockText(4, head)))
		}},
		{name: "ledger's head", say: "ledger: the block holds another head", change: func(f *evidence.File) {
			f.Anchors[0].Proof = localProof(ledgerKey.sign(blockText(4, headLines(origin, l, 500))))
		}},
		{name: "unlisted ledger", say: "ledger: the policy does not list", change: func(f *evidence.File) {
			f.Anchors[0].Proof = localProof(newKey("other", "ledger").sign(blockText(4, head)))
		}},
		{name: "live checkpoint", say: "live log: its checkpoint is not signed",
			live: func(path string, answer []byte) []byte {
				return bytes.Replace(answer, []byte("\n531\n"), []byte("\n530\n"), 1)
			}},
		{name: "live leaf", say: "live log: it holds something else",
			live: func(path string, answer []byte) []byte {
				if path == "/v1/journal/tile/0/001" {
					answer[32*(depositIndex-256)] ^= 1
				}
				return answer
			}},
		{name: "live tile before the anchor", say: "live log: its first 523 leaves",
			live: func(path string, answer []byte) []byte {
				if path == "/v1/journal/tile/1/000.p/2" {
					answer[0] ^= 1
				}
				return answer
			}},
		{name: "live tile after the anchor", say: "live log: its tiles do not give",
			live: func(path string, answer []byte) []byte {
				if path == "/v1/journal/tile/0/002.p/19" {
					answer[len(answer)-1] ^= 1
				}
				return answer
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := goldenFile(goldenLog(), depositIndex)
			f.Disclosure = disclosure()
			url := ""
			if test.change != nil {
				test.change(&f)
			}
			if test.live != nil {
				url = logServer(t, l, liveSize, test.live)
			}
			data := must(evidence.Marshal(f))
			out, err := runGuide(t, script, save(t, data), filepath.Join("testdata", "document.txt"), url)
			if err == nil || !strings.Contains(out, "DOES NOT HOLD: ") || !strings.Contains(out, test.say) {
				t.Errorf("%v; want …%s… in\n%s", err, test.say, out)
			}
		})
	}
}
