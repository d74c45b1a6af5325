package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Emit writes a result: v as JSON, or what table adds.
func (p *Program) Emit(v any, table func(*Table)) error {
	if p.JSON() {
		return writeJSON(p.Stdout, v)
	}
	t := &Table{}
	table(t)
	return t.Write(p.Stdout)
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

// Table lines up columns. Columns whose heading ends in ">" are set to the right; those whose heading ends in "~"
// are cut short where the table would be wider than the terminal.
type Table struct {
	rows [][]string
}

// minColumn is how far a column is cut at most.
const minColumn = 12

// Row adds a row; the first is the heading.
func (t *Table) Row(columns ...any) {
	var row []string
	for _, column := range columns {
		row = append(row, Visible(fmt.Sprint(column)))
	}
	t.rows = append(t.rows, row)
}

// Write writes the table, as wide as w is when that is a terminal.
func (t *Table) Write(w io.Writer) error {
	room, _ := IsTerminal(w)
	return t.render(w, room)
}

// render writes the table for a terminal of so many columns; 0 for any number.
func (t *Table) render(w io.Writer, room int) error {
	if len(t.rows) == 0 {
		return nil
	}
	right, elastic := make([]bool, len(t.rows[0])), make([]bool, len(t.rows[0]))
	for i, heading := range t.rows[0] {
		heading, right[i] = strings.CutSuffix(heading, ">")
		t.rows[0][i], elastic[i] = strings.CutSuffix(heading, "~")
	}
	widths := t.widths()
	if room > 0 {
		shrink(widths, elastic, room)
	}
	var out strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			cell = truncate(cell, widths[i])
			space := strings.Repeat(" ", widths[i]-cells(cell))
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

// widths is how wide each column is.
func (t *Table) widths() []int {
	out := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			out[i] = max(out[i], cells(cell))
		}
	}
	return out
}

// shrink takes from the widest of the elastic columns until the table fits, or nothing is left to take.
func shrink(widths []int, elastic []bool, room int) {
	total := 2 * (len(widths) - 1)
	for _, width := range widths {
		total += width
	}
	for ; total > room; total-- {
		widest := -1
		for i, width := range widths {
			if elastic[i] && width > minColumn && (widest < 0 || width > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// Visible replaces what could move a terminal's cursor or turn text around: file names and titles are strangers' text.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// Size writes a number of bytes for people.
func Size(n int64) string {
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

// Count writes a number of things for people.
func Count(n uint64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", more)
}

// YesNo writes a truth value for people.
func YesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Actor writes who has done something: by name or, where there is none to show, by the id, shortened where it is a
// principal's. Both ends are kept: ids of one day begin alike.
func Actor(name, id string) string {
	const uuid = 36
	switch {
	case name != "":
		return name
	case len(id) == uuid:
		return id[:8] + ellipsis + id[uuid-4:]
	}
	return id
}

// IsTerminal says whether w is one, and how wide.
func IsTerminal(w io.Writer) (width int, ok bool) {
	fd, ok := terminalOf(w)
	if !ok {
		return 0, false
	}
	width, _, err := term.GetSize(fd)
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}
