package evidence_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"muniment/anchor/evidence"
)

// TestParseRefuses edits the golden file into what two readers might read differently.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := string(must(evidence.Marshal(vectors()[0].file)))
	tests := []struct{ name, old, new, why string }{
		{"nothing", good, "", "not one JSON value"},
		{"not JSON", good, "{", "not one JSON value"},
		{"an array", good, "[]", "not a JSON object"},
		{"trailing data", "\n}\n", "\n}\n{}", "not one JSON value"},
		{"a newer version", `"v": 1,`, `"v": 2, "more": 1,`, "version 2"},
		{"version 0", `"v": 1,`, `"v": 0,`, "not a positive integer"},
		{"version 1.0", `"v": 1,`, `"v": 1.0,`, "not a positive integer"},
		{"no version", `"v": 1,`, ``, "no version"},
		{"a duplicate key", `"v": 1,`, `"v": 1, "v": 1,`, "twice"},
		{"an escaped duplicate key", `"v": 1,`, `"v": 1, "\u0076": 1,`, "twice"},
		{"a nested duplicate key", `"index": 301,`, `"index": 301, "index": 301,`, "twice"},
		{"an unknown field", `"v": 1,`, `"v": 1, "more": 1,`, "unknown field"},
		{"another case", `"document":`, `"Document":`, "missing"},
		{"a missing field", `"index": 301,`, ``, "index is missing"},
		{"null", `"index": 301,`, `"index": null,`, "index is missing, null"},
		{"a null disclosure", `"disclosure": {`, `"disclosure": null, "x": {`, "unknown field"},
		{"not UTF-8", `"v": 1,`, "\"v\": 1, \"\xff\": 1,", "not UTF-8"},
		{"half a surrogate pair", `"document": "0`, `"document": "\ud800`, "U+FFFD"},
		{"base64 with other padding bits", `fDom2kcnJ4THbfZs5gyvyz7phvuqqzQ91eIRG0odXoU=`,
			`fDom2kcnJ4THbfZs5gyvyz7phvuqqzQ91eIRG0odXoV=`,
			"proof[0] is missing, null, or not written in its one form"},
		{"base64 with a line break", `fDom2kcn`, `fDom\n2kcn`, "not written in its one form"},
		{"a short nonce", `"H0NtueJLkdE7qcGEWRoPPg=="`, `"H0NtueJLkdE7qcGEWRoP"`, "16 bytes"},
		{"an index with an exponent", `"index": 301`, `"index": 301e0`, "reading JSON"},
		{"a negative index", `"index": 301`, `"index": -1`, "reading JSON"},
		{"a document id in capitals", `"document": "019aab`, `"document": "019AAB`, "lower-case UUID"},
		{"a digest in capitals", `"digest": "060ffe`, `"digest": "060FFE`, "lower-case hexadecimal"},
		{"an origin with a space", `"origin": "muniment/`, `"origin": "muniment `, "not a key name"},
		{"deep nesting", `"proof": {`, `"proof": {"x": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,`,
			"nested deeper"},
		{"too many values", `"v": 1,`, `"x": [0` + strings.Repeat(",0", 1<<19) + `], "v": 1,`, "too many values"},
		{"too many objects", `"v": 1,`, `"x": [{}` + strings.Repeat(",{}", 1<<15) + `], "v": 1,`, "too many values"},
		{"many separators in a string", `"v": 1,`, `"x": "\"` + strings.Repeat("[{,", 1<<18) + `", "v": 1,`,
			"unknown field"},
		{"too long", good, good + strings.Repeat(" ", evidence.MaxSize), "longer than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(good, test.old) {
				t.Fatalf("nothing to edit: %s", test.old)
			}
			changed := []byte(strings.Replace(good, test.old, test.new, 1))
			_, err := evidence.Parse(changed)
			if err == nil || !strings.Contains(err.Error(), test.why) {
				t.Fatalf("got %v; want …%s…", err, test.why)
			}
			want := evidence.DoesNotMatch
			if strings.Contains(test.name, "newer") {
				want = evidence.CannotTell
			}
			if got := evidence.Verify(evidence.Input{Evidence: changed, Policy: policy(t)}); got.Verdict != want {
				t.Errorf("verdict %q, want %q", got.Verdict, want)
			}
			if got := errors.Is(err, evidence.ErrNewer); got != (want == evidence.CannotTell) {
				t.Errorf("wraps ErrNewer: %v", got)
			}
		})
	}
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*evidence.File)
	}{
		{"no version", func(f *evidence.File) { f.V = 0 }},
		{"no bodies", func(f *evidence.File) { f.Bodies = nil }},
		{"bodies out of order", func(f *evidence.File) { f.Bodies = append(f.Bodies, f.Bodies[0]) }},
		{"a body over the limit", func(f *evidence.File) {
			f.Bodies[0].Body = strings.Repeat("x", evidence.MaxBody+1)
		}},
		{"a body that is not UTF-8", func(f *evidence.File) { f.Bodies[0].Body = "\xff" }},
		{"a proof over the limit", func(f *evidence.File) { f.Bodies[0].Proof = make([][]byte, evidence.MaxProof+1) }},
		{"a short hash", func(f *evidence.File) { f.Bodies[0].Proof[0] = make([]byte, 31) }},
		{"no checkpoint", func(f *evidence.File) { f.Checkpoint = "" }},
		{"one ledger twice", func(f *evidence.File) { f.Anchors = append(f.Anchors, f.Anchors[0]) }},
		{"an anchor without a kind", func(f *evidence.File) { f.Anchors[0].Kind = "" }},
		{"an anchor whose proof is not JSON", func(f *evidence.File) { f.Anchors[0].Proof = []byte("{") }},
		{"a short salt", func(f *evidence.File) { f.Disclosure.Salt = f.Disclosure.Salt[1:] }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := goldenFile(goldenLog(), depositIndex)
			f.Disclosure = disclosure()
			test.change(&f)
			if _, err := evidence.Marshal(f); err == nil {
				t.Error("written")
			}
		})
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	t.Parallel()
	good := string(must(evidence.MarshalPolicy(goldenPolicy())))
	vkey := logKey.vkey()
	hash := strings.Split(vkey, "+")[1]
	tests := []struct{ name, old, new, why string }{
		{"a newer version", `"v": 1,`, `"v": 3,`, "version 3"},
		{"an unknown field", `"v": 1,`, `"v": 1, "rpc": "x",`, "unknown field"},
		{"no ledger required", `"require": 1`, `"require": 0`, "without a ledger"},
		{"more ledgers required than listed", `"require": 1`, `"require": 2`, "only 1 ledgers"},
		{"a key that is none", vkey, "x", "verifier key"},
		{"a key's hash in capitals", "+" + hash, "+" + strings.ToUpper(hash), "one form"},
		{"a key with a line break", vkey, vkey[:len(vkey)-4] + `\n` + vkey[len(vkey)-4:],
			"verifier key is not in its one form"},
		{"an origin twice", `"origins": [`, `"origins": [{"origin": "` + origin + `", "keys": ["` + vkey + `"]},`,
			"stands there twice"},
		{"a ledger twice", `"ledgers": [`,
			`"ledgers": [{"kind": "local", "id": "` + ledgerID + `", "pin": "` + ledgerKey.vkey() + `"},`,
			"stands there twice"},
		{"a key of another name", vkey, newKey("other", "log").vkey(), "name is not the origin"},
		{"a pin of another name", ledgerKey.vkey(), vkey, "not the ledger's id"},
		{"a key twice", `"` + vkey + `"`, `"` + vkey + `", "` + vkey + `"`, "twice"},
		{"no keys", `"` + vkey + `"`, ``, "not 1 to 256 keys"},
		{"trailing data", "\n}\n", "\n}\nx", "not one JSON value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(good, test.old) || test.old == test.new {
				t.Fatalf("nothing to edit: %s", test.old)
			}
			_, err := evidence.ParsePolicy([]byte(strings.Replace(good, test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.why) {
				t.Fatalf("got %v; want …%s…", err, test.why)
			}
		})
	}
}

// TestTheLargestFileIsRead: the bound on values is above what the other limits allow. A sample has fewer bodies.
func TestTheLargestFileIsRead(t *testing.T) {
	t.Parallel()
	bodies := evidence.MaxBodies
	if sampled() {
		bodies /= 16
	}
	f := vectors()[0].file
	leaf := f.Bodies[0]
	leaf.Proof = nil
	for range evidence.MaxProof {
		leaf.Proof = append(leaf.Proof, make([]byte, evidence.HashSize))
	}
	leaf.Body = "{}"
	f.Bodies = nil
	for i := range bodies {
		leaf.Index = uint64(i)
		f.Bodies = append(f.Bodies, leaf)
	}
	data, err := json.Marshal(f) // not indented, so that it stays below MaxSize
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Parse(data); err != nil {
		t.Errorf("a file of %d bytes: %v", len(data), err)
	}
}
