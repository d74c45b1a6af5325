package vault

import (
	"crypto/sha256"
	"mime"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"muniment/vault/invalid"
)

// Limits of the metadata, in bytes unless they say otherwise.
const (
	maxFileName    = 255
	maxTitle       = 1 << 10
	maxMediaType   = 255
	maxAttributes  = 64 // in number
	maxValue       = 1 << 10
	maxExternalID  = 256 // characters
	maxIdempotency = 255
	maxRefs        = 16 // in number
)

var (
	// A chain is named as CAIP-2 has it.
	chainPattern       = regexp.MustCompile(`^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$`)
	transactionPattern = regexp.MustCompile(`^[-A-Za-z0-9._:/]{1,128}$`)
	rolePattern        = regexp.MustCompile(`^[-a-z0-9_.]{0,64}$`)
	attributePattern   = regexp.MustCompile(`^[-A-Za-z0-9._]{1,64}$`)
)

// check refuses a deposit whose metadata is not what it must be. No error holds a value.
func (d *Deposit) check() error {
	if faults := d.Faults(); len(faults) > 0 {
		return &faults[0]
	}
	return nil
}

// Faults lists what is wrong with the metadata by itself, so that it can be found out before anything is sent: whether
// there is such a series, or already such a document, is for Deposit to say.
func (d *Deposit) Faults() []invalid.Field {
	var out []invalid.Field
	for _, f := range []struct{ field, reason string }{
		{"file_name", fileNameFault(d.FileName)},
		{"title", invalid.Line(d.Title, maxTitle)},
		{"media_type", mediaTypeFault(d.MediaType)},
		{"attributes", attributesFault(d.Attributes)},
		{"external_id", externalIDFault(d.ExternalID)},
		{"idempotency_key", idempotencyFault(d.IdempotencyKey)},
		{"ledger_refs", refsFault(d.LedgerRefs)},
		{"record_date", dateFault(d.RecordDate)},
		{"series", invalid.Series(d.Series)},
		{"digest", digestFault(d.Digest)},
		{"length", lengthFault(d.Length)},
	} {
		if f.reason != "" {
			out = append(out, invalid.Field{Name: f.field, Reason: f.reason})
		}
	}
	return out
}

func fileNameFault(name string) string {
	switch {
	case strings.ContainsAny(name, `/\`):
		return "has a path separator"
	case name == "." || name == "..":
		return "names a folder"
	}
	return invalid.Line(name, maxFileName)
}

func mediaTypeFault(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > maxMediaType {
		return "is too long"
	}
	kind, _, err := mime.ParseMediaType(s)
	if err != nil || strings.Count(kind, "/") != 1 || invalid.Line(s, maxMediaType) != "" {
		return "is not a media type"
	}
	return ""
}

func attributesFault(attributes map[string]string) string {
	if len(attributes) > maxAttributes {
		return "are too many"
	}
	for name, value := range attributes {
		switch {
		case !attributePattern.MatchString(name):
			return "have a name that is not 1 to 64 of [A-Za-z0-9._-]"
		case len(value) > maxValue:
			return "have a value that is too long"
		case !utf8.ValidString(value):
			return "have a value that is not UTF-8"
		case strings.ContainsFunc(value, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }):
			return "have a value with a control character"
		}
	}
	return ""
}

func externalIDFault(id string) string {
	switch {
	case utf8.RuneCountInString(id) > maxExternalID:
		return "is too long"
	case !utf8.ValidString(id):
		return "is not UTF-8"
	case strings.ContainsFunc(id, invisible):
		return "has a character that cannot be seen"
	}
	return ""
}

// invisible says whether a character leaves no mark of its own, so that two ids that look the same would be two. Some
// that Unicode calls graphic do not: fillers and variation selectors, which may be ignored (UAX #44), and the empty
// Braille cell.
func invisible(c rune) bool {
	return !unicode.IsGraphic(c) || unicode.IsSpace(c) || c == '\u2800' ||
		unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func idempotencyFault(key string) string {
	if len(key) > maxIdempotency {
		return "is too long"
	}
	if strings.ContainsFunc(key, func(c rune) bool { return c < '!' || c > '~' }) {
		return "has a character that is not visible ASCII"
	}
	return ""
}

func refsFault(refs []LedgerRef) string {
	if len(refs) > maxRefs {
		return "are too many"
	}
	seen := make(map[LedgerRef]bool, len(refs))
	for _, ref := range refs {
		switch {
		case !chainPattern.MatchString(ref.Chain):
			return "have a chain that is not a CAIP-2 id"
		case !transactionPattern.MatchString(ref.Transaction):
			return "have a transaction that is not 1 to 128 of [A-Za-z0-9._:/-]"
		case !rolePattern.MatchString(ref.Role):
			return "have a role that is not at most 64 of [a-z0-9._-]"
		}
		place := LedgerRef{Chain: ref.Chain, Transaction: ref.Transaction}
		if seen[place] {
			return "name a transaction twice"
		}
		seen[place] = true
	}
	return ""
}

func dateFault(date string) string {
	if date == "" {
		return ""
	}
	t, err := time.Parse(time.DateOnly, date)
	if err != nil || t.Year() < 1 {
		return "is not a date like 2026-11-22"
	}
	return ""
}

func digestFault(digest []byte) string {
	if digest == nil || len(digest) == sha256.Size {
		return ""
	}
	return "is not a SHA-256 digest"
}

func lengthFault(n int64) string {
	if n < -1 {
		return "is negative"
	}
	return ""
}
