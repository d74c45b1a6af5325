package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal/journaltest"
)

// The table of attacks stands in the guide for security officers between these.
const (
	tableBegins = "<!-- what cmd/muniment/attack_test.go shows, row by row -->\n"
	tableEnds   = "<!-- end of what it shows -->\n"
)

// TestAttacksStandInTheGuide: the guide says of every attack what the tests show, and of no other.
func TestAttacksStandInTheGuide(t *testing.T) {
	t.Parallel()
	guide := string(journaltest.Must(os.ReadFile("../../vault/README.md")))
	_, rest, begins := strings.Cut(guide, tableBegins)
	stands, _, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatal("the guide has no table of attacks")
	}
	want := attackTable(append(attacks(), realAttacks()...))
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(stands, "\n")); diff != "" {
		t.Errorf("the guide's table (-want +got):\n%s", diff)
	}
}

// attackTable is the guide's table, one below each component's name.
func attackTable(all []attack) string {
	var out strings.Builder
	component := ""
	for _, a := range all {
		if a.component != component {
			component = a.component
			fmt.Fprintf(&out, "\n**%s%s**\n\n", strings.ToUpper(component[:1]), component[1:])
			out.WriteString("| the attacker | is noticed by, when | what comes of it |\n|---|---|---|\n")
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", a.act, a.noticedBy(), a.outcome)
	}
	return out.String()
}
