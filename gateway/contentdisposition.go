package gateway

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxOfferedName is the length of the longest file name that is offered to a client, in bytes.
const maxOfferedName = 255

// contentDisposition offers content as a file to be saved, never to be shown (RFC 6266). The name goes out twice: in
// ASCII for old clients, and as an RFC 8187 extended value for all others.
func contentDisposition(name string) string {
	name = safeName(name)
	if name == "" {
		return "attachment"
	}
	ascii := strings.Map(func(c rune) rune {
		if c > '~' || c == '"' || c == '%' {
			return '_'
		}
		return c
	}, name)
	out := `attachment; filename="` + ascii + `"`
	if ascii != name {
		out += "; filename*=UTF-8''" + encodeExtValue(name)
	}
	return out
}

// safeName makes a file name harmless: no folders, no control characters, none that hide or turn others around, no dots
// in front, not too long.
func safeName(name string) string {
	name = strings.Map(func(c rune) rune {
		if c == '/' || c == '\\' || c == utf8.RuneError ||
			unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '_'
		}
		return c
	}, name)
	name = strings.TrimLeft(strings.TrimSpace(name), ".")
	for len(name) > maxOfferedName {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	return name
}

// encodeExtValue percent-encodes all that is not an attr-char (RFC 8187, section 3.2.1).
func encodeExtValue(s string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for _, b := range []byte(s) {
		if b < utf8.RuneSelf && isAttrChar(rune(b)) {
			out.WriteByte(b)
			continue
		}
		out.WriteByte('%')
		out.WriteByte(digits[b>>4])
		out.WriteByte(digits[b&15])
	}
	return out.String()
}
