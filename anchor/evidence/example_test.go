package evidence_test

import (
	"fmt"
	"os"

	"muniment/anchor/evidence"
)

// An auditor has a document, its evidence file, and a policy of her own making.
func ExampleVerify() {
	trust, err := os.ReadFile("testdata/policy.json")
	if err != nil {
		panic(err)
	}
	policy, err := evidence.ParsePolicy(trust)
	if err != nil {
		panic(err)
	}
	document, err := os.Open("testdata/document.txt")
	if err != nil {
		panic(err)
	}
	defer document.Close()
	digest, err := evidence.Digest(document)
	if err != nil {
		panic(err)
	}
	file, err := os.ReadFile("testdata/disclosed.json")
	if err != nil {
		panic(err)
	}

	report := evidence.Verify(evidence.Input{Evidence: file, Digest: digest, Policy: policy})
	fmt.Println(report.Summary)
	for _, step := range report.Steps {
		fmt.Printf("%-10s %s\n", step.Name, step.State)
	}
	fmt.Println("exit status", report.Verdict.ExitCode())
	// Output:
	// Verified: this is the document that was deposited, and its record is in the log and anchored.
	// document   holds
	// commitment holds
	// body       holds
	// leaf       holds
	// log        holds
	// signature  holds
	// ledger     holds
	// exit status 0
}
