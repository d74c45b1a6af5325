package evidence_test

import (
	"testing"

	"muniment/anchor/evidence"
)

// BenchmarkVerify is what an auditor waits for, beside hashing the document: parsing, all hashes and two signatures.
func BenchmarkVerify(b *testing.B) {
	v := vectors()[0]
	in := v.input(b, golden(b, v.name+".json", must(evidence.Marshal(v.file))))
	b.ReportAllocs()
	for b.Loop() {
		if r := evidence.Verify(in); r.Verdict != evidence.Verified {
			b.Fatalf("%+v", r.Steps)
		}
	}
}
