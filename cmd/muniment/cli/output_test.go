package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTablesLineUp(t *testing.T) {
	t.Parallel()
	var table Table
	table.Row("NAME", "SIZE>", "TITLE")
	table.Row("a", 1, "Zürich")
	table.Row("longer", 1000, "")
	table.Row("hostile\x1b[2J\u202e", 2, "line\nbreak")
	var out strings.Builder
	if err := table.Write(&out); err != nil {
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

// TestTablesLineUpWithWideText: each column begins where it should on a terminal, on which some characters take two
// columns and some take none.
func TestTablesLineUpWithWideText(t *testing.T) {
	t.Parallel()
	var table Table
	table.Row("NAME~", "TITLE~", "STATE")
	table.Row("a.txt", "Grundriß", "kept")
	table.Row("平面図.pdf", "住宅の平面図", "kept")
	table.Row("e\u0301te\u0301.txt", "ﾊﾝｶｸ", "kept")
	table.Row("🏠.png", "ＦＵＬＬ", "kept")
	for _, c := range []struct {
		room int
		want string
	}{
		{0, `NAME        TITLE         STATE
a.txt       Grundriß      kept
平面図.pdf  住宅の平面図  kept
été.txt     ﾊﾝｶｸ          kept
🏠.png      ＦＵＬＬ      kept
`},
		{30, `NAME        TITLE         STATE
a.txt       Grundriß      kept
平面図.pdf  住宅の平面図  kept
été.txt     ﾊﾝｶｸ          kept
🏠.png      ＦＵＬＬ      kept
`}, // nothing is cut below what says something
	} {
		var out strings.Builder
		if err := table.render(&out, c.room); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(out.String(), "e\u0301", "é"); got != c.want {
			t.Errorf("in %d columns\n%swant\n%s", c.room, got, c.want)
		}
	}
}

func TestTablesFitANarrowTerminal(t *testing.T) {
	t.Parallel()
	var table Table
	table.Row("ID", "SIZE>", "NAME~", "TITLE~")
	table.Row("0190b5a0", 12, "a-rather-long-file-name.txt", "住宅の平面図、二階建て、車庫付き")
	table.Row("0190b5a1", 1234, "b.txt", "short")
	var out strings.Builder
	if err := table.render(&out, 50); err != nil {
		t.Fatal(err)
	}
	want := `ID        SIZE  NAME              TITLE
0190b5a0    12  a-rather-long-f…  住宅の平面図、…
0190b5a1  1234  b.txt             short
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if cells(line) > 51 {
			t.Errorf("%d columns in %q", cells(line), line)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"short", 5, "short"}, {"longer", 5, "long…"}, {"平面図", 6, "平面図"}, {"平面図", 5, "平面…"}, {"平面図", 4, "平…"},
		{"e\u0301e\u0301", 2, "e\u0301e\u0301"}, {"e\u0301e\u0301e", 2, "e\u0301…"},
	} {
		if got := truncate(c.text, c.most); got != c.want || cells(got) > c.most {
			t.Errorf("cut(%q, %d) = %q", c.text, c.most, got)
		}
	}
}

func TestSizesForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 1 << 30: "1.0 GiB",
		5 << 40: "5.0 TiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}

// TestProgressWithoutATerminalIsOneLine: logs are not filled with bars.
func TestProgressWithoutATerminalIsOneLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	bar := StartProgress(&out, "deposit", 3)
	for range 3 {
		bar.Step()
	}
	bar.End("3 documents")
	if got, want := out.String(), "  deposit    3 documents\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressOnATerminalFitsIntoALine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	bar := &Progress{out: &out, width: 30, what: "deposit", total: 1000, now: time.Now}
	for range 1000 {
		bar.Step()
	}
	bar.End("done")
	for _, line := range strings.Split(out.String(), "\r") {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 30 && !strings.Contains(line, "done") {
			t.Errorf("%d characters in %q", n, line)
		}
	}
	if !strings.Contains(out.String(), "1000/1000") {
		t.Errorf("the last step is not shown: %q", out.String())
	}
}

// TestTransfersOnATerminal: bytes, their rate and the count are shown, what has to be sent again is taken back, and
// what fills the line is cut.
func TestTransfersOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	bar := &Progress{out: &out, width: 80, what: "deposit", total: 3, size: 4 << 20,
		now: func() time.Time { return now }, started: now}
	now = now.Add(time.Second)
	bar.Move(1 << 20)
	bar.Step()
	now = now.Add(time.Second)
	bar.Move(-1 << 19)
	bar.End("3 deposited")
	for _, want := range []string{
		"████████░░░░", " 0/3 1.0 MiB/4.0 MiB 1.0 MiB/s", " 1/3 512.0 KiB/4.0 MiB 256.0 KiB/s",
		"\r\x1b[K  deposit    3 deposited\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not show %q: %q", want, out.String())
		}
	}
	out.Reset()
	bar = &Progress{out: &out, width: 20, what: "get", total: 1, size: 1 << 30, now: func() time.Time { return now },
		started: now}
	now = now.Add(time.Second)
	bar.Move(1 << 29)
	if line := strings.TrimSuffix(strings.TrimPrefix(out.String(), "\r"), "\x1b[K"); cells(line) > 19 ||
		strings.Contains(line, "0/1") {
		t.Errorf("%d columns in %q", cells(line), line)
	}
}
