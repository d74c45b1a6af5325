package remote

import (
	"fmt"
	"strings"
)

// headerValue writes text for a Muniment- header: as it is where it is visible ASCII, else as an extended value (RFC
// 8187). list says that commas separate values in this header.
func headerValue(s string, list bool) string {
	plain := !strings.HasPrefix(strings.ToUpper(s), "UTF-8'") && strings.TrimSpace(s) == s &&
		(!list || !strings.Contains(s, ","))
	for _, c := range s {
		plain = plain && c >= ' ' && c <= '~'
	}
	if plain {
		return s
	}
	var out strings.Builder
	out.WriteString("UTF-8''")
	for _, b := range []byte(s) {
		if isAttrChar(b) {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

// isAttrChar says whether a byte stands for itself in an extended value (RFC 8187, section 3.2.1).
func isAttrChar(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' ||
		strings.IndexByte("!#$&+-.^_`|~", b) >= 0
}
