package main

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"muniment/anchor/evidence"
)

// verifyEvidence judges as an auditor would: verify EVIDENCE DOCUMENT POLICY
func verifyEvidence(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: verify EVIDENCE DOCUMENT POLICY")
	}
	policy, err := evidence.ParsePolicy([]byte(ts.ReadFile(args[2])))
	ts.Check(err)
	digest, err := evidence.Digest(strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	report := evidence.Verify(evidence.Input{Evidence: []byte(ts.ReadFile(args[0])), Digest: digest, Policy: policy})
	if (report.Verdict != evidence.Verified) != neg {
		ts.Fatalf("%s %+v", report.Summary, report.Steps)
	}
}
