package evidence_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
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
	for name, want := range map[string]evidence.Policy{"policy.json": goldenPolicy(), "ended.json": endedPolicy()} {
		data := golden(t, name, must(evidence.MarshalPolicy(want)))
		got, err := evidence.ParsePolicy(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if again := must(evidence.MarshalPolicy(*got)); !bytes.Equal(again, data) {
			t.Errorf("%s, written again: %s", name, cmp.Diff(string(data), string(again)))
		}
	}
}

// endedPolicy is the policy of a log that has ended where its evidence stands, and goes on under another origin.
func endedPolicy() evidence.Policy {
	p := goldenPolicy()
	until := uint64(anchoredSize)
	p.Origins[0].Until = &until
	after := newKey("muniment/after-the-loss", "log")
	p.Origins = append(p.Origins, evidence.Origin{Origin: "muniment/after-the-loss", Keys: []string{after.vkey()}})
	return p
}

// TestEndedOrigin: a checkpoint of a log that has ended counts up to the size at which it did, and no further, whoever
// has signed it.
func TestEndedOrigin(t *testing.T) {
	t.Parallel()
	data := must(evidence.Marshal(vectors()[0].file))
	for until, want := range map[uint64]evidence.Verdict{
		anchoredSize: evidence.Verified, anchoredSize + 1: evidence.Verified, anchoredSize - 1: evidence.CannotTell,
	} {
		p := endedPolicy()
		p.Origins[0].Until = &until
		r := evidence.Verify(evidence.Input{Evidence: data, Policy: &p, Digest: digest(t)})
		if r.Verdict != want {
			t.Errorf("of a log that ended at %d: %q, want %q: %+v", until, r.Verdict, want, r.Steps)
		}
		_, state, why := evidence.VerifyCheckpoint(&p, vectors()[0].file.Checkpoint)
		if (state == evidence.Holds) != (want == evidence.Verified) {
			t.Errorf("the checkpoint of a log that ended at %d: %v, %s", until, state, why)
		}
	}
	none := endedPolicy()
	none.Origins[0].Until = new(uint64)
	if _, err := evidence.MarshalPolicy(none); err == nil {
		t.Error("a policy is written of a log that ended at 0")
	}
	raw := bytes.Replace(must(evidence.MarshalPolicy(endedPolicy())), []byte(fmt.Sprintf(`"until": %d`, anchoredSize)),
		[]byte(`"until": 0`), 1)
	if _, err := evidence.ParsePolicy(raw); err == nil {
		t.Errorf("a policy is read of a log that ended at 0: %s", raw)
	}
}
