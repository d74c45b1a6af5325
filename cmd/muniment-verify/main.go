// Command muniment-verify says whether a document is the one that was deposited, to an auditor who trusts none of us:
// it checks an evidence file, and the document if there is one, against the auditor's own policy, without a network.
//
// Exit status: 0 verified, 1 does not match, 2 cannot tell, 3 wrong usage or an unreadable file.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"muniment/anchor/bounded"
	"muniment/anchor/evidence"
)

const exitUsage = 3

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings given; it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	status := 0
	cmd := command(&status)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.Execute(); err != nil {
		fmt.Fprintf(stderr, "muniment-verify: %v\n", err)
		return exitUsage
	}
	return status
}

func command(status *int) *cobra.Command {
	var policyFile, output string
	cmd := &cobra.Command{
		Use:   "muniment-verify EVIDENCE [DOCUMENT]",
		Short: "Verify an evidence file, and the document if there is one",
		Long: `Verify an evidence file, and the document if there is one, against a policy of your own.

Each step from the document to the ledger is reported: it holds, does not hold, or cannot be
told. Without a document the record alone is verified. No network is used.

Exit status: 0 verified, 1 does not match, 2 cannot tell (no policy, not anchored yet,
nothing disclosed to compare the document with, a newer format), 3 wrong usage or an
unreadable file.`,
		Example: "  muniment-verify evidence.json letter.pdf --policy policy.json",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.RangeArgs(1, 2)(cmd, args); err != nil {
				return fmt.Errorf("%w\nusage: %s", err, cmd.UseLine())
			}
			return nil
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		// The only command there is; cobra would add one for shell completion to it.
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := map[string]func(io.Writer, evidence.Report) error{"table": table, "json": asJSON}[output]
			if !ok {
				return errors.New("the output is table or json")
			}
			in, err := input(policyFile, args)
			if err != nil {
				return err
			}
			report := evidence.Verify(in)
			*status = report.Verdict.ExitCode()
			report.Summary += inPlainWords(report)
			return write(cmd.OutOrStdout(), report)
		},
	}
	cmd.Flags().StringVar(&policyFile, "policy", "", "`FILE` that says whose signatures and which ledgers you trust")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// input reads the files. The document is read as a stream, so it may be of any size.
func input(policyFile string, args []string) (evidence.Input, error) {
	var in evidence.Input
	if policyFile != "" {
		data, err := bounded.ReadFile(policyFile, bounded.Small)
		if err != nil {
			return in, fmt.Errorf("reading the policy: %w", err)
		}
		if in.Policy, err = evidence.ParsePolicy(data); err != nil {
			return in, err
		}
	}
	var err error
	if in.Evidence, err = readEvidence(args[0]); err != nil {
		return in, fmt.Errorf("reading the evidence: %w", err)
	}
	if len(args) == 1 {
		return in, nil
	}
	document, err := os.Open(args[1])
	if err != nil {
		return in, fmt.Errorf("opening the document: %w", err)
	}
	defer document.Close()
	in.Digest, err = evidence.Digest(document)
	return in, err
}

// readEvidence reads one byte more than an evidence file may have, so that Verify sees that it is too long.
func readEvidence(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, evidence.MaxSize+1))
}

// inPlainWords adds to the summary which of the two files is the wrong one. It names the document only if every
// other step holds: a digest that is not proved may have been changed in the evidence, and the document be the right
// one.
func inPlainWords(r evidence.Report) string {
	wrongDocument := false
	for _, s := range r.Steps {
		switch {
		case s.Name == "file" && s.State == evidence.DoesNotHold:
			return " This is not an evidence file."
		case s.Name == "document" && s.State == evidence.DoesNotHold:
			wrongDocument = true
		case s.State != evidence.Holds:
			return ""
		}
	}
	if wrongDocument {
		return " This is not the file that was deposited."
	}
	return ""
}

func asJSON(w io.Writer, r evidence.Report) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// table writes one line a step, then what else there is to know, and the verdict last.
func table(w io.Writer, r evidence.Report) error {
	lines := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(columns ...any) {
		for i, c := range columns {
			if i > 0 {
				fmt.Fprint(lines, "\t")
			}
			fmt.Fprint(lines, c)
		}
		fmt.Fprintln(lines)
	}
	for _, s := range r.Steps {
		row(s.Name, s.State, printable(s.Why))
	}
	for _, a := range r.Anchors {
		row("  "+printable(a.Kind), a.State, printable(a.ID+": "+a.Why))
	}
	if len(r.Story) > 0 {
		row()
		row("The bodies say:")
		for _, e := range r.Story {
			row(fmt.Sprint("  leaf ", e.Index), e.At.Format(time.RFC3339Nano), e.Type+" by "+printable(e.Actor))
		}
	}
	if len(r.Asserted) > 0 {
		row()
		row("Asserted by the journal, not proved by this file:")
		for _, a := range r.Asserted {
			row("  " + printable(a))
		}
	}
	row()
	row(r.Summary)
	if err := lines.Flush(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// printable keeps what an evidence file says from moving the cursor, turning the writing direction or hiding a line.
func printable(s string) string {
	quoted := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
