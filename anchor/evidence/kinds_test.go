package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// addStone adds a kind of ledger to the table for one test, which must not run in parallel: a stone's id is carved into
// it behind the pin's word, and its proof is {"head": …}.
func addStone(t *testing.T) {
	t.Helper()
	kinds["stone"] = kind{
		checkPin: func(id, pin string) error {
			if pin != "carved "+id {
				return errors.New("the stone is not carved with its id")
			}
			return nil
		},
		checkProof: func(proof json.RawMessage, pin string, want head) (string, error) {
			var p struct {
				Head string `json:"head"`
			}
			if err := decode(proof, MaxAnchor, 0, &p); err != nil {
				return "", err
			}
			switch p.Head {
			case headText(want):
				return "it is " + pin, nil
			case "runes":
				return "", fmt.Errorf("it is in runes: %w", ErrNewer)
			}
			return "", errors.New("it holds another head")
		},
		caveat: func(id string) string { return "that stone " + id + " has not weathered" },
	}
	t.Cleanup(func() { delete(kinds, "stone") })
}

// TestAddedKind: a kind that stands in the table is judged by the policy and by the verifier, with no other change.
func TestAddedKind(t *testing.T) {
	addStone(t)
	data, err := os.ReadFile("testdata/disclosed.json")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseCheckpoint(golden.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("testdata/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePolicy(raw)
	if err != nil {
		t.Fatal(err)
	}
	p.Ledgers = []Pin{{Kind: "stone", ID: "hill", Pin: "carved"}}
	if _, err := MarshalPolicy(*p); err == nil || !strings.Contains(err.Error(), "not carved with its id") {
		t.Errorf("a policy with a pin that the kind refuses: %v", err)
	}
	p.Ledgers[0].Pin = "carved hill"
	written, err := MarshalPolicy(*p)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = ParsePolicy(written); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		carved string
		state  State
		why    string
	}{
		{headText(h), Holds, "it is carved hill"},
		{"another", DoesNotHold, "it holds another head"},
		{"runes", Unknown, "it is in runes"},
	} {
		t.Run(string(test.state), func(t *testing.T) {
			proof, err := json.Marshal(map[string]string{"head": test.carved})
			if err != nil {
				t.Fatal(err)
			}
			f := *golden
			f.Anchors = []Anchor{{Kind: "stone", ID: "hill", Proof: proof}}
			file, err := Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			r := Verify(Input{Evidence: file, Policy: p})
			if len(r.Anchors) != 1 || r.Anchors[0].State != test.state ||
				!strings.Contains(r.Anchors[0].Why, test.why) {
				t.Fatalf("anchors %+v; want %q, …%s…", r.Anchors, test.state, test.why)
			}
			if (r.Verdict == Verified) != (test.state == Holds) {
				t.Errorf("verdict %q", r.Verdict)
			}
			caveat := strings.Contains(strings.Join(r.Asserted, "\n"), "that stone hill has not weathered")
			if caveat != (test.state == Holds) {
				t.Errorf("asserted %q", r.Asserted)
			}
		})
	}
}
