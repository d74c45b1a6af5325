package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"muniment/anchor/evidence"
)

// span is where a simple JSON value stands in a file, quotes included.
type span struct {
	path       string
	start, end int
}

// spans finds every string, number, boolean and null that is a value, not a key.
func spans(t testing.TB, data []byte) []span {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var out []span
	var walk func(path string)
	walk = func(path string) {
		before := int(dec.InputOffset())
		token, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch token {
		case json.Delim('{'):
			for dec.More() {
				name, err := dec.Token()
				if err != nil {
					t.Fatal(err)
				}
				walk(fmt.Sprintf("%s.%s", path, name))
			}
		case json.Delim('['):
			for i := 0; dec.More(); i++ {
				walk(fmt.Sprintf("%s[%d]", path, i))
			}
		default:
			end := int(dec.InputOffset())
			start := before + len(data[before:end]) - len(bytes.TrimLeft(data[before:end], " \n\t\r:,"))
			out = append(out, span{path: strings.TrimPrefix(path, "."), start: start, end: end})
			return
		}
		if _, err := dec.Token(); err != nil {
			t.Fatal(err)
		}
	}
	walk("")
	return out
}

// sampled says whether a sample of all changes is tried. The race detector makes the verifier ten times as slow and has
// nothing to find in it, so the complete run is the one without it.
func sampled() bool { return raceDetector || testing.Short() }

// places lists where a value is changed: at every byte, or in a sample of a long value at its ends and at each fifth
// byte of the file.
func (s span) places() []int {
	every := 1
	if sampled() && s.end-s.start > 16 {
		every = 5
	}
	var places []int
	for at := s.start; at < s.end; at++ {
		if at%every == 0 || at == s.start || at == s.end-1 {
			places = append(places, at)
		}
	}
	return places
}

// mutations are the bytes that the byte at the place given is replaced by: its neighbour by one bit, the other case,
// and in turn those that mean something in JSON or base64. In a sample it is one of these.
func mutations(b byte, at int) []byte {
	special := []byte{'0', ' ', '=', '"', 'A', '\\'}
	all := []byte{b ^ 1, b ^ 0x20, special[at%len(special)], special[(at/2+1)%len(special)]}
	if sampled() {
		all = all[at%2 : at%2+1]
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(m byte) bool { return m == b })
}

// ignored is the list of what may change, for each vector: the beginning of a path, or of a part of its value.
func ignored(name string, s span, data []byte, at int) bool {
	if name != "cosigned" {
		return false
	}
	witness := bytes.Index(data, []byte("— witness.example/w1"))
	return strings.HasPrefix(s.path, "anchors[0].") || s.path == "checkpoint" && at >= witness && at < s.end-1
}

// TestEveryByteCounts changes every byte of every value and never gets a yes, but for what is listed as ignored. With
// the race detector, or -short, it tries a sample.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		if v.verdict != evidence.Verified {
			continue // there is no yes to keep
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			data := golden(t, v.name+".json", must(evidence.Marshal(v.file)))
			in := v.input(t, nil)
			tried, inert := 0, map[string]bool{}
			for _, s := range spans(t, data) {
				for _, at := range s.places() {
					for _, b := range mutations(data[at], at) {
						in.Evidence = slices.Clone(data)
						in.Evidence[at] = b
						tried++
						if evidence.Verify(in).Verdict != evidence.Verified {
							continue
						}
						if !ignored(v.name, s, data, at) {
							t.Errorf("%s: byte %d changed from %q to %q, and the verdict is still yes",
								s.path, at-s.start, data[at], b)
						}
						inert[s.path] = true
					}
				}
			}
			if v.name == "cosigned" {
				for _, path := range []string{"anchors[0].kind", "anchors[0].id", "anchors[0].proof.transaction",
					"checkpoint"} {
					if !inert[path] {
						t.Errorf("%s is listed as ignored, but every change of it is noticed", path)
					}
				}
			}
			t.Logf("%d changes", tried)
		})
	}
}

// TestEveryByteOfThePolicyCounts does the same to the policy.
func TestEveryByteOfThePolicyCounts(t *testing.T) {
	t.Parallel()
	data := golden(t, "policy.json", must(evidence.MarshalPolicy(goldenPolicy())))
	v := vectors()[0]
	in := v.input(t, golden(t, v.name+".json", must(evidence.Marshal(v.file))))
	for _, s := range spans(t, data) {
		for _, at := range s.places() {
			for _, b := range mutations(data[at], at) {
				changed := slices.Clone(data)
				changed[at] = b
				p, err := evidence.ParsePolicy(changed)
				if err != nil {
					continue
				}
				in.Policy = p
				if evidence.Verify(in).Verdict == evidence.Verified {
					t.Errorf("%s: byte %d changed from %q to %q, and the verdict is still yes",
						s.path, at-s.start, data[at], b)
				}
			}
		}
	}
}

// TestEveryByteOfTheDocumentCounts changes every byte of the document, cuts it and extends it.
func TestEveryByteOfTheDocumentCounts(t *testing.T) {
	t.Parallel()
	v := vectors()[0]
	in := v.input(t, golden(t, v.name+".json", must(evidence.Marshal(v.file))))
	var changed [][]byte
	for i := range len(content) {
		c := []byte(content)
		c[i] ^= 1
		changed = append(changed, c, []byte(content[:i]))
	}
	for _, c := range append(changed, []byte(content+"\x00")) {
		in.Digest = sum(c)
		if got := evidence.Verify(in).Verdict; got != evidence.DoesNotMatch {
			t.Fatalf("another document (%d bytes): %q", len(c), got)
		}
	}
}
