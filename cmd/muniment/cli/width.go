package cli

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// ellipsis stands where text was cut short.
const ellipsis = "…"

// cells is how many columns of a terminal text takes: two for a wide character of East Asian scripts and for most emoji
// (UAX #11), none for one that combines with what stands before it.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cellsOf(r)
	}
	return n
}

func cellsOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r < 0x1100: // nothing before Hangul is wide, and most text is before it
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// truncate shortens text to at most most columns, with an ellipsis at its end if something is missing.
func truncate(s string, most int) string {
	if cells(s) <= most {
		return s
	}
	var out strings.Builder
	room := most - cells(ellipsis)
	for _, r := range s {
		if room -= cellsOf(r); room < 0 {
			break
		}
		out.WriteRune(r)
	}
	return out.String() + ellipsis
}
