package evidence_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"muniment/anchor/evidence"
)

// TestSteps breaks one link at a time: the step that is named must be the one broken.
func TestSteps(t *testing.T) {
	t.Parallel()
	l := goldenLog()
	head := headLines(origin, l, anchoredSize)
	proof := func(b string) []byte { return localProof(ledgerKey.sign(b)) }
	otherHead := headLines(origin, l, anchoredSize-1)
	stranger := newKey(ledgerID, "stranger")
	tests := []struct {
		name    string
		story   []int // nil: the deposit alone
		change  func(f *evidence.File, in *evidence.Input)
		step    string
		state   evidence.State
		why     string
		verdict evidence.Verdict
	}{
		{
			name: "another document", step: "document", state: evidence.DoesNotHold, why: "not the one disclosed",
			verdict: evidence.DoesNotMatch,
			change:  func(_ *evidence.File, in *evidence.Input) { in.Digest = sum([]byte("another")) },
		}, {
			name: "document without a disclosure", step: "document", state: evidence.Unknown,
			why:     "discloses no digest",
			verdict: evidence.CannotTell,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Disclosure = nil },
		}, {
			name: "no document", step: "document", state: evidence.NotAsked, why: "nothing is said about any file",
			verdict: evidence.Verified,
			change:  func(_ *evidence.File, in *evidence.Input) { in.Digest = nil },
		}, {
			name: "no document and no disclosure", step: "commitment", state: evidence.NotAsked,
			why:     "discloses no digest",
			verdict: evidence.Verified,
			change:  func(f *evidence.File, in *evidence.Input) { f.Disclosure, in.Digest = nil, nil },
		}, {
			name: "another salt", step: "commitment", state: evidence.DoesNotHold, why: "do not give the commitment",
			verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) {
				f.Disclosure = &evidence.Disclosure{Digest: f.Disclosure.Digest, Salt: sum([]byte("another salt"))}
			},
		}, {
			name: "another document's body", step: "body", state: evidence.DoesNotHold, why: "about another document",
			verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) {
				f.Document = strings.Replace(document, "d1", "d2", 1)
			},
		}, {
			name: "no deposit", story: []int{readIndex}, step: "body", state: evidence.DoesNotHold,
			why: "not the document's deposit", verdict: evidence.DoesNotMatch,
		}, {
			name: "a body that is not JSON", step: "body", state: evidence.DoesNotHold, why: "not one JSON value",
			verdict: evidence.DoesNotMatch,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Bodies[0].Body += "}" },
		}, {
			name: "a body with a duplicate key", step: "body", state: evidence.DoesNotHold, why: "twice",
			verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) {
				f.Bodies[0].Body = strings.Replace(f.Bodies[0].Body, `"tenant"`, `"tenant":"x","tenant"`, 1)
			},
		}, {
			name: "a body swapped for another well-formed one", step: "leaf", state: evidence.DoesNotHold,
			why: "not what the log holds at index 301", verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) {
				f.Bodies[0].Body = strings.Replace(f.Bodies[0].Body, `"seq":7`, `"seq":8`, 1)
			},
		}, {
			name: "an index beyond the tree", step: "leaf", state: evidence.DoesNotHold, why: "beyond",
			verdict: evidence.DoesNotMatch,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Bodies[0].Index = anchoredSize },
		}, {
			name: "a shortened proof", step: "leaf", state: evidence.DoesNotHold, why: "the inclusion proof fails",
			verdict: evidence.DoesNotMatch,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Bodies[0].Proof = f.Bodies[0].Proof[1:] },
		}, {
			name: "a checkpoint with an extension line", step: "log", state: evidence.DoesNotHold, why: "other lines",
			verdict: evidence.DoesNotMatch,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Checkpoint = logKey.sign(head + "extension\n") },
		}, {
			name: "a checkpoint without a signature", step: "log", state: evidence.DoesNotHold, why: "not signed",
			verdict: evidence.DoesNotMatch,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Checkpoint = head + "\n" },
		}, {
			name: "another log's checkpoint", step: "log", state: evidence.DoesNotHold, why: "another log's",
			verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) {
				f.Checkpoint = newKey("muniment/other", "log").sign(headLines("muniment/other", l, anchoredSize))
			},
		}, {
			name: "a checkpoint signed by a stranger", step: "signature", state: evidence.DoesNotHold,
			why: "not signed by a key that the policy trusts", verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) { f.Checkpoint = newKey(origin, "stranger").sign(head) },
		}, {
			name: "a checkpoint whose signature is another's", step: "signature", state: evidence.DoesNotHold,
			why: "the signature is not valid", verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) { f.Checkpoint = head + "\n" + logKey.line(otherHead) },
		}, {
			name: "a checkpoint signed twice by one key", step: "log", state: evidence.DoesNotHold, why: "signed twice",
			verdict: evidence.DoesNotMatch,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Checkpoint += logKey.line(head) },
		}, {
			name: "no policy", step: "signature", state: evidence.Unknown, why: "no policy",
			verdict: evidence.CannotTell,
			change:  func(_ *evidence.File, in *evidence.Input) { in.Policy = nil },
		}, {
			name: "a policy for other logs", step: "signature", state: evidence.Unknown,
			why:     "names no key for this log",
			verdict: evidence.CannotTell,
			change: func(_ *evidence.File, in *evidence.Input) {
				in.Policy.Origins[0] = evidence.Origin{Origin: "other", Keys: []string{newKey("other", "log").vkey()}}
			},
		}, {
			name: "not anchored yet", step: "ledger", state: evidence.Unknown, why: "not anchored yet",
			verdict: evidence.CannotTell,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Anchors = nil },
		}, {
			name: "a ledger that the policy does not list", step: "ledger", state: evidence.Unknown,
			why: "requires 1 of its ledgers, and 0 could be checked", verdict: evidence.CannotTell,
			change: func(f *evidence.File, _ *evidence.Input) { f.Anchors[0].ID += "x" },
		}, {
			name: "a listed ledger of an unknown kind", step: "ledger", state: evidence.Unknown,
			why:     "0 could be checked",
			verdict: evidence.CannotTell,
			change: func(f *evidence.File, in *evidence.Input) {
				f.Anchors[0].Kind = "stone"
				in.Policy.Ledgers = append(in.Policy.Ledgers, evidence.Pin{Kind: "stone", ID: ledgerID, Pin: "p"})
			},
		}, {
			name: "two ledgers required, one there", step: "ledger", state: evidence.Unknown, why: "requires 2",
			verdict: evidence.CannotTell,
			change: func(_ *evidence.File, in *evidence.Input) {
				in.Policy.Require = 2
				other := newKey("other", "ledger")
				in.Policy.Ledgers = append(in.Policy.Ledgers,
					evidence.Pin{Kind: "local", ID: "other", Pin: other.vkey()})
			},
		}, {
			name: "a block that holds another head", step: "ledger", state: evidence.DoesNotHold, why: "another head",
			verdict: evidence.DoesNotMatch,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Anchors[0].Proof = proof(blockText(4, otherHead)) },
		}, {
			name: "a block signed by a stranger", step: "ledger", state: evidence.DoesNotHold,
			why:     "not signed by a key",
			verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) {
				f.Anchors[0].Proof = localProof(stranger.sign(blockText(4, head)))
			},
		}, {
			name: "a first block that follows another", step: "ledger", state: evidence.DoesNotHold,
			why:     "32 zero bytes",
			verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) {
				f.Anchors[0].Proof = proof(strings.Replace(blockText(4, head), "\n4\n", "\n1\n", 1))
			},
		}, {
			name: "a block with a second signature", step: "ledger", state: evidence.DoesNotHold,
			why:     "more than one signature",
			verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, _ *evidence.Input) {
				text := blockText(4, head)
				f.Anchors[0].Proof = localProof(ledgerKey.sign(text) + newKey("witness.example/w1",
					"witness").line(text))
			},
		}, {
			name: "a newer block", step: "ledger", state: evidence.Unknown, why: "0 could be checked",
			verdict: evidence.CannotTell,
			change: func(f *evidence.File, _ *evidence.Input) {
				f.Anchors[0].Proof = proof(strings.Replace(blockText(4, head), "block/1\n", "block/2\n", 1))
			},
		}, {
			name: "a proof with an unknown field", step: "ledger", state: evidence.DoesNotHold, why: "unknown field",
			verdict: evidence.DoesNotMatch,
			change:  func(f *evidence.File, _ *evidence.Input) { f.Anchors[0].Proof = []byte(`{"block":"","more":1}`) },
		}, {
			name: "one good ledger and one that contradicts", step: "ledger", state: evidence.DoesNotHold,
			why:     "another head",
			verdict: evidence.DoesNotMatch,
			change: func(f *evidence.File, in *evidence.Input) {
				other := newKey("other", "ledger")
				in.Policy.Ledgers = append(in.Policy.Ledgers,
					evidence.Pin{Kind: "local", ID: "other", Pin: other.vkey()})
				f.Anchors = append(f.Anchors, evidence.Anchor{Kind: "local", ID: "other",
					Proof: localProof(other.sign(blockText(1, otherHead)))})
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			story := test.story
			if story == nil {
				story = []int{depositIndex}
			}
			f := goldenFile(l, story...)
			f.Disclosure = disclosure()
			in := evidence.Input{Digest: sum([]byte(content)), Policy: policy(t)}
			if test.change != nil {
				test.change(&f, &in)
			}
			in.Evidence = must(evidence.Marshal(f))
			r := evidence.Verify(in)
			if r.Verdict != test.verdict {
				t.Errorf("verdict %q, want %q", r.Verdict, test.verdict)
			}
			s := step(t, r, test.step)
			if s.State != test.state || !strings.Contains(s.Why, test.why) {
				t.Errorf("%s: %q, %s; want %q, …%s…", s.Name, s.State, s.Why, test.state, test.why)
			}
		})
	}
}

func step(t *testing.T, r evidence.Report, name string) evidence.Step {
	t.Helper()
	for _, s := range r.Steps {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("the report has no step %s: %+v", name, r.Steps)
	return evidence.Step{}
}

// TestStories puts bodies into a log that cannot be one document's story, though each is a leaf of it.
func TestStories(t *testing.T) {
	t.Parallel()
	first := deposit([]byte(content), salt())
	second := event("document.read/1", 11, 0)
	edit := func(body, old, new string) string {
		if !strings.Contains(body, old) {
			panic("nothing to edit: " + old)
		}
		return strings.Replace(body, old, new, 1)
	}
	newer := edit(first, "deposited/1", "deposited/2")
	tests := []struct {
		name   string
		bodies []string
		state  evidence.State
		why    string // of the step body, or what is asserted
	}{
		{"whole", []string{first, second}, evidence.Holds, "2 bodies"},
		{"a gap", []string{first, event("document.read/1", 11, 1), event("document.erased/1", 12, 4)},
			evidence.DoesNotHold,
			"names as the previous one is not before it"},
		{"of another tenant", []string{first, edit(second, "default", "other")}, evidence.DoesNotHold,
			"another tenant"},
		{"numbers do not grow", []string{first, edit(second, `"seq":11`, `"seq":7`)}, evidence.DoesNotHold,
			"does not grow"},
		{"time goes back", []string{first, edit(second, `"at":"2026`, `"at":"2025`)}, evidence.DoesNotHold,
			"its time is before"},
		{"not chained", []string{first, edit(second, `"prev":0,`, ``)}, evidence.DoesNotHold,
			"does not know of the body before"},
		{"passing over the body before", []string{first, second, event("document.erased/1", 12, 0)},
			evidence.DoesNotHold,
			"does not know of the body before"},
		{"deposited twice", []string{first, first}, evidence.DoesNotHold, "a second time"},
		{"a newer deposit", []string{newer}, evidence.Unknown, "document.deposited/2"},
		{"a newer body", []string{edit(first, `"v":1`, `"v":2`)}, evidence.Unknown, "version 2"},
		{"no commitment", []string{edit(first, `"commitment"`, `"other"`)}, evidence.DoesNotHold, "no commitment"},
		{"commitment of 31 bytes", []string{edit(first, `"commitment":"JNTi`, `"commitment":"`)}, evidence.DoesNotHold,
			"32 bytes"},
		{"local time", []string{edit(first, `Z","tenant"`, `+02:00","tenant"`)}, evidence.DoesNotHold, "in UTC"},
		{"field in another case", []string{edit(first, `"doc"`, `"Doc"`)}, evidence.DoesNotHold, "has no doc"},
		{"field too many", []string{edit(first, `"doc"`, `"more":1,"doc"`)}, evidence.DoesNotHold, "none of version 1"},
		{"two lines", []string{edit(first, `"doc"`, "\n\"doc\"")}, evidence.DoesNotHold, "more than one line"},
		{"type without version", []string{edit(first, "deposited/1", "deposited")}, evidence.DoesNotHold,
			"name/version"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := &testLog{}
			for _, b := range test.bodies {
				l.add(b)
			}
			r := evidence.Verify(evidence.Input{Evidence: must(evidence.Marshal(wholeLog(l, len(test.bodies)))),
				Policy: policy(t)})
			if got := step(t, r, "body"); got.State != test.state || !strings.Contains(got.Why, test.why) {
				t.Errorf("%s: %q, %s; want %q, …%s…", got.Name, got.State, got.Why, test.state, test.why)
			}
			if (test.state == evidence.Holds) != (r.Verdict == evidence.Verified) {
				t.Errorf("verdict %q: %+v", r.Verdict, r.Steps)
			}
		})
	}
}

// TestGapIsNamed leaves a body out of the middle of a story: still a yes, but the gap is said.
func TestGapIsNamed(t *testing.T) {
	t.Parallel()
	f := goldenFile(goldenLog(), depositIndex, erasedIndex)
	r := evidence.Verify(evidence.Input{Evidence: must(evidence.Marshal(f)), Policy: policy(t)})
	if want := "between indexes 301 and 466"; r.Verdict != evidence.Verified ||
		!strings.Contains(fmt.Sprint(r.Asserted), want) {
		t.Errorf("%q, asserted %q; want …%s…", r.Verdict, r.Asserted, want)
	}
}

// wholeLog is evidence of the first n leaves of a log, anchored at its whole size.
func wholeLog(l *testLog, n int) evidence.File {
	size := len(l.entries)
	head := headLines(origin, l, size)
	f := evidence.File{
		V: 1, Document: document, Origin: origin, Checkpoint: logKey.sign(head),
		Anchors: []evidence.Anchor{{Kind: "local", ID: ledgerID,
			Proof: localProof(ledgerKey.sign(blockText(1, head)))}},
	}
	for i := range n {
		f.Bodies = append(f.Bodies, l.leaf(i, size))
	}
	return f
}

// TestTrees puts the deposit at any place of trees of any size: the right proof is a yes, every other one a no.
func TestTrees(t *testing.T) {
	t.Parallel()
	trust := policy(t)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 300).Draw(t, "size")
		index := rapid.IntRange(0, size-1).Draw(t, "index")
		l := &testLog{}
		l.fill(index)
		l.add(deposit([]byte(content), salt()))
		l.fill(size)
		f := wholeLog(l, 0)
		f.Bodies = []evidence.Leaf{l.leaf(index, size)}
		in := evidence.Input{Evidence: must(evidence.Marshal(f)), Policy: trust}
		if r := evidence.Verify(in); r.Verdict != evidence.Verified {
			t.Fatalf("verdict %q: %+v", r.Verdict, r.Steps)
		}
		switch leaf := &f.Bodies[0]; rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			leaf.Index = rapid.Uint64Range(0,
				uint64(size)).Filter(func(i uint64) bool { return i != uint64(index) }).Draw(t, "other")
		case 1:
			leaf.Proof = append(leaf.Proof, sum([]byte("more")))
		case 2:
			if len(leaf.Proof) == 0 {
				t.Skip("an empty proof has no hash to change")
			}
			leaf.Proof[rapid.IntRange(0, len(leaf.Proof)-1).Draw(t, "hash")] = sum([]byte("other"))
		case 3:
			head := headLines(origin, goldenLog(), size)
			f.Checkpoint = logKey.sign(head)
			f.Anchors[0].Proof = localProof(ledgerKey.sign(blockText(1, head)))
		}
		in.Evidence = must(evidence.Marshal(f))
		if r := evidence.Verify(in); r.Verdict != evidence.DoesNotMatch {
			t.Fatalf("after the change: verdict %q: %+v", r.Verdict, r.Steps)
		}
	})
}
