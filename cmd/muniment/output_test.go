package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTablesLineUp(t *testing.T) {
	var table tableWriter
	table.row("NAME", "SIZE>", "TITLE")
	table.row("a", 1, "Zürich")
	table.row("longer", 1000, "")
	table.row("hostile\x1b[2J\u202e", 2, "line\nbreak")
	var out strings.Builder
	if err := table.flush(&out); err != nil {
		t.Fatal(err)
	}
	want := `NAME          SIZE  TITLE
a                1  Zürich
longer        1000
hostile�[2J�     2  line�break
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestSizesForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 1 << 30: "1.0 GiB", 5 << 40: "5.0 TiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}

// TestProgressWithoutATerminalIsOneLine: logs are not filled with bars.
func TestProgressWithoutATerminalIsOneLine(t *testing.T) {
	var out bytes.Buffer
	bar := startProgress(&out, "deposit", 3)
	for range 3 {
		bar.step()
	}
	bar.end("3 documents")
	if got, want := out.String(), "  deposit    3 documents\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressOnATerminalFitsIntoALine(t *testing.T) {
	var out bytes.Buffer
	bar := &progress{out: &out, width: 30, what: "deposit", total: 1000}
	for range 1000 {
		bar.step()
	}
	bar.end("done")
	for _, line := range strings.Split(out.String(), "\r") {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 30 && !strings.Contains(line, "done") {
			t.Errorf("%d characters in %q", n, line)
		}
	}
	if !strings.Contains(out.String(), "1000/1000") {
		t.Errorf("the last step is not shown: %q", out.String())
	}
}

func TestHeaderValues(t *testing.T) {
	for _, test := range []struct {
		text string
		list bool
		want string
	}{
		{"plain text", false, "plain text"},
		{"a, b", false, "a, b"},
		{"a, b", true, "UTF-8''a%2C%20b"},
		{"Zürich", false, "UTF-8''Z%C3%BCrich"},
		{"UTF-8''x", false, "UTF-8''UTF-8%27%27x"},
		{"utf-8'x", false, "UTF-8''utf-8%27x"},
		{" padded ", false, "UTF-8''%20padded%20"},
		{"line\r\nbreak: x", false, "UTF-8''line%0D%0Abreak%3A%20x"},
	} {
		if got := headerValue(test.text, test.list); got != test.want {
			t.Errorf("headerValue(%q, %v) = %q, want %q", test.text, test.list, got, test.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	seen := make([]bool, 100)
	r, err := measure(context.Background(), 1, limit{count: 100}, func(_ context.Context, n int) error {
		seen[n] = true
		return nil
	})
	if err != nil || len(r.took) != 100 {
		t.Fatalf("%d times, %v", len(r.took), err)
	}
	for n, s := range seen {
		if !s {
			t.Errorf("number %d was left out", n)
		}
	}
	failure := errors.New("no")
	if _, err := measure(context.Background(), 8, limit{time: time.Hour}, func(context.Context, int) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v, want the work's", err)
	}
	if got := (rate{took: []time.Duration{1, 2, 3, 4, 5}}).percentile(50); got != 3 {
		t.Errorf("median %d, want 3", got)
	}
	if got := (rate{}).percentile(99); got != 0 {
		t.Errorf("percentile of nothing %d, want 0", got)
	}
}
