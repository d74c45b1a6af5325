package evidence_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/evidence"
)

// The names and keys of the golden log and its ledgers. The keys are fixed, so that the golden files can be made again.
const (
	origin   = "muniment/019aab3e-5c00-7000-8000-000000000001"
	ledgerID = "muniment-local/019aab3e-5c00-7000-8000-000000000002"
	document = "019aab3e-5c00-7000-8000-0000000000d1"
	actor    = "019aab3e-5c00-7000-8000-0000000000a1"
)

// testLog is a log written by the test: straight from the words of RFC 6962, without tlog, which the verifier uses.
type testLog struct {
	nonces  [][]byte
	bodies  []string
	entries [][]byte
}

func (l *testLog) add(body string) int {
	nonce := sha256.Sum256(fmt.Appendf(nil, "nonce %d", len(l.bodies)))
	entry := sha256.Sum256(append(nonce[:16:16], body...))
	l.nonces = append(l.nonces, nonce[:16])
	l.bodies = append(l.bodies, body)
	l.entries = append(l.entries, entry[:])
	return len(l.bodies) - 1
}

// fill adds bodies about nothing in particular until the log has n leaves.
func (l *testLog) fill(n int) {
	for len(l.bodies) < n {
		l.add(fmt.Sprintf(`{"v":1,"type":"test.filled/1","n":%d}`, len(l.bodies)))
	}
}

// root is MTH(D[n]) of RFC 6962, section 2.1.
func (l *testLog) root(n int) []byte { return mth(l.entries[:n]) }

// proof is PATH(m, D[n]) of RFC 6962, section 2.1.1.
func (l *testLog) proof(m, n int) [][]byte { return path(m, l.entries[:n]) }

func (l *testLog) leaf(i, size int) evidence.Leaf {
	return evidence.Leaf{Index: uint64(i), Nonce: l.nonces[i], Body: l.bodies[i], Proof: l.proof(i, size)}
}

func leafHash(entry []byte) []byte { return sum([]byte{0}, entry) }

func mth(d [][]byte) []byte {
	if len(d) == 1 {
		return leafHash(d[0])
	}
	k := split(len(d))
	return sum([]byte{1}, mth(d[:k]), mth(d[k:]))
}

func path(m int, d [][]byte) [][]byte {
	if len(d) == 1 {
		return [][]byte{}
	}
	k := split(len(d))
	if m < k {
		return append(path(m, d[:k]), mth(d[k:]))
	}
	return append(path(m-k, d[k:]), mth(d[:k]))
}

// split is the largest power of two smaller than n.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

func sum(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// key is an Ed25519 key for notes, by its seed's name.
type key struct {
	name    string
	private ed25519.PrivateKey
}

func newKey(name, seed string) key {
	return key{name: name, private: ed25519.NewKeyFromSeed(sum([]byte("golden key: " + seed)))}
}

var (
	logKey    = newKey(origin, "log")
	ledgerKey = newKey(ledgerID, "ledger")
)

func (k key) vkey() string {
	vkey, err := note.NewEd25519VerifierKey(k.name, k.private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return vkey
}

// line is the key's signature line under a note's text.
func (k key) line(text string) string {
	public := k.private.Public().(ed25519.PublicKey)
	id := sum([]byte(k.name), []byte{'\n', 1}, public)[:4]
	return fmt.Sprintf("— %s %s\n", k.name, b64(append(id, ed25519.Sign(k.private, []byte(text))...)))
}

func (k key) sign(text string) string { return text + "\n" + k.line(text) }

func b64(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

func headLines(origin string, l *testLog, size int) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, b64(l.root(size)))
}

func blockText(height int, head string) string {
	previous := make([]byte, 32)
	if height > 1 {
		previous = sum(fmt.Appendf(nil, "block %d", height-1))
	}
	at := time.Date(2026, 11, 22, 10, 40, 0, 0, time.UTC).Format(time.RFC3339)
	return fmt.Sprintf("muniment-local-block/1\n%d\n%s\n%s\n%s", height, b64(previous), at, head)
}

func localProof(block string) []byte {
	return fmt.Appendf(nil, `{"block":"%s"}`, strings.ReplaceAll(block, "\n", `\n`))
}

// deposit is a deposit's body, with more fields of data than the verifier reads.
func deposit(content, salt []byte) string {
	digest := sha256.Sum256(content)
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte("muniment content v1"))
	mac.Write(digest[:])
	ciphertext := sum([]byte("ciphertext"))
	return fmt.Sprintf(`{"v":1,"type":"document.deposited/1","at":"2026-11-22T10:35:07.123456Z","tenant":"default",`+
		`"seq":7,"actor":"%s","doc":"%s","data":{"series":"default","object":"%s","size":%d,"commitment":"%s",`+
		`"ciphertext":{"suite":"AES256_GCM_HKDF_4KB","sha256":"%s","crc32c":%d,"size":%d},"recorded":"2026-11-20",`+
		`"ledger_refs":[]}}`,
		actor, document, hex.EncodeToString(sum([]byte("object key"))[:16]), len(content), b64(mac.Sum(nil)),
		b64(ciphertext),
		binary.BigEndian.Uint32(ciphertext), len(content)+64)
}

// event is a later body of the document's story.
func event(kind string, seq, prev int) string {
	return fmt.Sprintf(`{"v":1,"type":"%s","at":"2026-11-22T10:36:%02d.000000Z","wall":"2026-11-22T10:35:59.999999Z",`+
		`"tenant":"default","seq":%d,"actor":"%s","doc":"%s","prev":%d,"data":{}}`, kind, seq%60, seq, actor, document,
		prev)
}
