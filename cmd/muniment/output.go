package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// emit writes a result: v as JSON, or what table adds.
func (p *program) emit(v any, table func(*tableWriter)) error {
	if p.format == "json" {
		return writeJSON(p.stdout, v)
	}
	t := &tableWriter{}
	table(t)
	return t.flush(p.stdout)
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// tableWriter lines up columns. Columns whose heading ends in ">" are set to the right.
type tableWriter struct {
	rows [][]string
}

// row adds a row; the first is the heading.
func (t *tableWriter) row(cells ...any) {
	var row []string
	for _, cell := range cells {
		row = append(row, visible(fmt.Sprint(cell)))
	}
	t.rows = append(t.rows, row)
}

func (t *tableWriter) flush(w io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	right := make([]bool, len(t.rows[0]))
	for i, heading := range t.rows[0] {
		t.rows[0][i], right[i] = strings.CutSuffix(heading, ">")
	}
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right[i] {
				line.WriteString(space + cell + "  ")
			} else {
				line.WriteString(cell + space + "  ")
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// visible replaces what could move a terminal's cursor or turn text around: file names and titles are strangers' text.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// size writes a number of bytes for people.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1024 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[unit])
}

// count writes a number of things for people.
func count(n uint64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", more)
}

// isTerminal says whether w is one, and how wide.
func isTerminal(w io.Writer) (width int, ok bool) {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}
