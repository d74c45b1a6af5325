package evidence_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/evidence"
)

// FuzzParse: what is accepted is written again with the same meaning, and once written, with the same bytes.
func FuzzParse(f *testing.F) {
	for _, v := range vectors() {
		f.Add(must(evidence.Marshal(v.file)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := evidence.Parse(data)
		if err != nil {
			return
		}
		written, err := evidence.Marshal(*file)
		if err != nil {
			t.Fatalf("accepted, but not written: %v", err)
		}
		again, err := evidence.Parse(written)
		if err != nil {
			t.Fatalf("written, but not accepted: %v", err)
		}
		if diff := cmp.Diff(compact(t, *file), compact(t, *again)); diff != "" {
			t.Fatal(diff)
		}
		if twice := must(evidence.Marshal(*again)); !bytes.Equal(written, twice) {
			t.Fatal(cmp.Diff(string(written), string(twice)))
		}
	})
}

// FuzzVerify: nothing but a golden file gets a yes, except for what is listed as ignored.
func FuzzVerify(f *testing.F) {
	verified := map[string]bool{}
	for _, v := range vectors() {
		f.Add(must(evidence.Marshal(v.file)))
		verified[essence(f, v.file)] = v.verdict == evidence.Verified
	}
	p := policy(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := evidence.Verify(evidence.Input{Evidence: data, Policy: p})
		if r.Verdict != evidence.Verified {
			return
		}
		file, err := evidence.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if !verified[essence(t, *file)] {
			t.Fatalf("a yes to what was never recorded: %s", data)
		}
	})
}

// essence is the file without what is listed as ignored.
func essence(t testing.TB, f evidence.File) string {
	t.Helper()
	var anchors []evidence.Anchor
	for _, a := range f.Anchors {
		if a.Kind == "local" && a.ID == ledgerID {
			anchors = append(anchors, a)
		}
	}
	f.Anchors = anchors
	// The golden log signs but one checkpoint, so any of its signatures stands for the whole.
	f.Checkpoint = ""
	return compact(t, f)
}

func compact(t testing.TB, f evidence.File) string {
	t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// FuzzParsePolicy: what is accepted is written again and read as the same policy.
func FuzzParsePolicy(f *testing.F) {
	f.Add(must(evidence.MarshalPolicy(goldenPolicy())))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := evidence.ParsePolicy(data)
		if err != nil {
			return
		}
		written, err := evidence.MarshalPolicy(*p)
		if err != nil {
			t.Fatalf("accepted, but not written: %v", err)
		}
		again, err := evidence.ParsePolicy(written)
		if err != nil {
			t.Fatalf("written, but not accepted: %v", err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
