package evidence_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/evidence"
)

var update = flag.Bool("update", false, "write the golden files again")

// content is what the golden document holds.
const content = "SYNTHETIC: this document is nobody's.\nBenefit claim 900-00-0000, filed 2026-11-20.\n"

// The golden log has a whole level-0 tile and a part of a second; it went on growing after the evidence was anchored.
const (
	depositIndex = 301
	readIndex    = 420
	erasedIndex  = 466
	anchoredSize = 523
	liveSize     = 531
)

func salt() []byte { return sum([]byte("golden salt")) }

func goldenLog() *testLog {
	l := &testLog{}
	l.fill(depositIndex)
	l.add(deposit([]byte(content), salt()))
	l.fill(readIndex)
	l.add(event("document.read/1", 11, depositIndex))
	l.fill(erasedIndex)
	l.add(event("document.erased/1", 19, readIndex))
	l.fill(liveSize)
	return l
}

func goldenPolicy() evidence.Policy {
	return evidence.Policy{
		V:       1,
		Origins: []evidence.Origin{{Origin: origin, Keys: []string{logKey.vkey()}}},
		Ledgers: []evidence.Pin{{Kind: "local", ID: ledgerID, Pin: ledgerKey.vkey()}},
		Require: 1,
	}
}

// goldenFile is the evidence of the golden document, anchored once, without a disclosure.
func goldenFile(l *testLog, indexes ...int) evidence.File {
	head := headLines(origin, l, anchoredSize)
	f := evidence.File{
		V: 1, Document: document, Origin: origin, Checkpoint: logKey.sign(head),
		Anchors: []evidence.Anchor{{Kind: "local", ID: ledgerID,
			Proof: localProof(ledgerKey.sign(blockText(4, head)))}},
	}
	for _, i := range indexes {
		f.Bodies = append(f.Bodies, l.leaf(i, anchoredSize))
	}
	return f
}

func disclosure() *evidence.Disclosure {
	return &evidence.Disclosure{Digest: hex.EncodeToString(sum([]byte(content))), Salt: salt()}
}

// vector is a golden evidence file and what must be said of it.
type vector struct {
	name     string
	file     evidence.File
	document bool // whether the document is given
	verdict  evidence.Verdict
}

func vectors() []vector {
	l := goldenLog()
	disclosed := goldenFile(l, depositIndex)
	disclosed.Disclosure = disclosure()
	unanchored := disclosed
	unanchored.Anchors = nil
	cosigned := disclosed
	cosigned.Checkpoint += newKey("witness.example/w1", "witness").line(headLines(origin, l, anchoredSize))
	cosigned.Anchors = append([]evidence.Anchor{{
		Kind: "evm", ID: "eip155:1337", Proof: []byte(`{"transaction":"0x02","receipt":null,"confirmations":12}`),
	}}, disclosed.Anchors...)
	return []vector{
		{"disclosed", disclosed, true, evidence.Verified},
		{"undisclosed", goldenFile(l, depositIndex), false, evidence.Verified},
		{"erased", goldenFile(l, depositIndex, readIndex, erasedIndex), false, evidence.Verified},
		{"unanchored", unanchored, true, evidence.CannotTell},
		{"cosigned", cosigned, true, evidence.Verified},
	}
}

// golden reads a golden file, after writing it if asked to.
func golden(t testing.TB, name string, data []byte) []byte {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func policy(t testing.TB) *evidence.Policy {
	t.Helper()
	p, err := evidence.ParsePolicy(golden(t, "policy.json", must(evidence.MarshalPolicy(goldenPolicy()))))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

func (v vector) input(t testing.TB, data []byte) evidence.Input {
	t.Helper()
	in := evidence.Input{Evidence: data, Policy: policy(t)}
	if v.document {
		in.Digest = digest(t)
	}
	return in
}

func digest(t testing.TB) []byte {
	t.Helper()
	d, err := evidence.Digest(bytes.NewReader(golden(t, "document.txt", []byte(content))))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestVectors takes every golden file through every entry point, and writes it again.
func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			data := golden(t, v.name+".json", must(evidence.Marshal(v.file)))
			f, err := evidence.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			if got := must(evidence.Marshal(*f)); !bytes.Equal(got, data) {
				t.Errorf("written again: %s", cmp.Diff(string(data), string(got)))
			}
			if made := must(evidence.Marshal(v.file)); !bytes.Equal(made, data) {
				t.Errorf("the test's writer makes another file: %s", cmp.Diff(string(data), string(made)))
			}
			r := evidence.Verify(v.input(t, data))
			if r.Verdict != v.verdict {
				t.Errorf("verdict %q, want %q: %+v", r.Verdict, v.verdict, r.Steps)
			}
		})
	}
}

func TestPolicyVector(t *testing.T) {
	t.Parallel()
	data := golden(t, "policy.json", must(evidence.MarshalPolicy(goldenPolicy())))
	if diff := cmp.Diff(goldenPolicy(), *policy(t)); diff != "" {
		t.Error(diff)
	}
	if got := must(evidence.MarshalPolicy(*policy(t))); !bytes.Equal(got, data) {
		t.Errorf("written again: %s", cmp.Diff(string(data), string(got)))
	}
}
