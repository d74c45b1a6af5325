package put

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
)

// TestRowFingerprints: a row is the same wherever its columns stand and whatever empty ones there are, and another when
// a cell says something else.
func TestRowFingerprints(t *testing.T) {
	t.Parallel()
	print := func(text string) string {
		t.Helper()
		var bad faults
		rows := parseManifest([]byte(text), ".", &bad)
		if len(bad) > 0 || len(rows) != 1 {
			t.Fatalf("%q: %v", text, bad)
		}
		return rows[0].print
	}
	one := print("path,title\na.txt,b\n")
	if one != "ef0e30a809ccbaff0946395e50ceaf9d" {
		t.Errorf("the fingerprint is %s now: receipts of old runs would not be known any more", one)
	}
	for _, same := range []string{"title,path\nb,a.txt\n", "path,series,title\na.txt,,b\n",
		"\ufeffpath,title\r\na.txt,b\r\n", "path,title\n\"a.txt\",\"b\""} {
		if got := print(same); got != one {
			t.Errorf("%q has another fingerprint", same)
		}
	}
	for _, other := range []string{"path,title\na.txt,c\n", "path,attr:title\na.txt,b\n", "path,title\nb.txt,b\n"} {
		if got := print(other); got == one {
			t.Errorf("%q has the same fingerprint", other)
		}
	}
}

// FuzzManifest reads arbitrary bytes as a manifest: every row that is taken says what encoding/csv reads there.
func FuzzManifest(f *testing.F) {
	f.Add([]byte("path,external_id,attr:a\na.txt,1,\"x\ny\"\nb.txt,,\n"))
	f.Add([]byte("\ufeffpath;title\na;b"))
	f.Add([]byte("path,path\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var bad faults
		rows := parseManifest(raw, "/folder", &bad)
		if len(bad) > 0 {
			return
		}
		records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff")))).ReadAll()
		if err != nil || len(records) != len(rows)+1 {
			t.Fatalf("%d rows of %d records, %v", len(rows), len(records), err)
		}
		for i, row := range rows {
			for column, name := range records[0] {
				cell := records[i+1][column]
				switch {
				case name == "path" && (row.given != cell || strings.ContainsAny(cell, "\r\n\x00")),
					name == "external_id" && row.ExternalID != cell, name == "title" && row.Title != cell:
					t.Errorf("row %d has %q in %s", i, cell, name)
				}
			}
		}
	})
}
