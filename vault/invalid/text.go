package invalid

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line says what is wrong with one line of text for people; "" if nothing is.
func Line(s string, longest int) string {
	switch {
	case len(s) > longest:
		return "is too long"
	case !utf8.ValidString(s):
		return "is not UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "has a control character"
	case strings.ContainsFunc(s, misleading):
		return "has a character that reverses the direction of text"
	}
	return ""
}

// misleading says whether a character overrides, embeds or isolates the direction of text (Unicode UAX #9), by which
// "invoice\u202efdp.exe" reads like a PDF; or ends a line where nobody expects one.
func misleading(c rune) bool {
	return c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == 0x2028 || c == 0x2029
}

var seriesPattern = regexp.MustCompile(`^[a-z0-9][-a-z0-9._]{0,63}$`)

// ValidSeries says whether a code can name a series: 1 to 64 of [a-z0-9._-], with a letter or digit first.
func ValidSeries(code string) bool { return seriesPattern.MatchString(code) }

// Series says what is wrong with the code of a series; "" if nothing is, or there is none.
func Series(code string) string {
	if code == "" || ValidSeries(code) {
		return ""
	}
	return "is not 1 to 64 of [a-z0-9._-] with a letter or digit first"
}
