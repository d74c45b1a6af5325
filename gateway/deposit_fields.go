package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"muniment/gateway/problem"
	"muniment/vault"
)

// fields is where the metadata of a request comes from: headers and the parsed query.
type fields struct {
	header http.Header
	query  url.Values
}

// deposit reads the metadata of a deposit. It decodes and says nothing about the values: that is the vault's to judge.
func (f fields) deposit() (vault.Deposit, error) {
	var d vault.Deposit
	for _, one := range []struct {
		header, query string
		to            *string
	}{
		{"Muniment-Series", "series", &d.Series},
		{"Muniment-External-Id", "external_id", &d.ExternalID},
		{"Muniment-File-Name", "file_name", &d.FileName},
		{"Muniment-Title", "title", &d.Title},
		{"Muniment-Record-Date", "record_date", &d.RecordDate},
	} {
		value, err := f.one(one.header, one.query)
		if err != nil {
			return vault.Deposit{}, err
		}
		*one.to = value
	}
	var err error
	if d.Attributes, err = f.attributes(); err != nil {
		return vault.Deposit{}, err
	}
	if d.LedgerRefs, err = f.ledgerRefs(); err != nil {
		return vault.Deposit{}, err
	}
	if d.IdempotencyKey, err = idempotencyKey(f.header.Values("Idempotency-Key")); err != nil {
		return vault.Deposit{}, err
	}
	acknowledge, err := f.one("Muniment-Acknowledge", "acknowledge")
	if err != nil {
		return vault.Deposit{}, err
	}
	if d.Committed, err = parseAcknowledge(acknowledge); err != nil {
		return vault.Deposit{}, err
	}
	d.Digest, err = parseContentDigest(f.header.Values("Content-Digest"))
	return d, err
}

// one is a value that is given at most once, as a header or in the query.
func (f fields) one(header, query string) (string, error) {
	inHeader, inQuery := f.header.Values(header), f.query[query]
	switch {
	case len(inHeader)+len(inQuery) > 1:
		return "", problem.New(problem.UnknownParameter, query+" is given more than once")
	case len(inHeader) == 1:
		value, ok := decodeHeader(inHeader[0])
		if !ok {
			return "", badText(query)
		}
		return value, nil
	case len(inQuery) == 1:
		return inQuery[0], nil
	}
	return "", nil
}

// attributes reads name=value pairs.
func (f fields) attributes() (map[string]string, error) {
	out := map[string]string{}
	add := func(pair string, decode func(string) (string, bool)) error {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return problem.New(problem.BadMetadata, "attributes want name=value")
		}
		if _, twice := out[name]; twice {
			return problem.New(problem.BadMetadata, "attributes have a name twice")
		}
		if out[name], ok = decode(value); !ok {
			return badText("attributes")
		}
		return nil
	}
	for pair := range elements(f.header.Values("Muniment-Attribute")) {
		if err := add(pair, decodeHeader); err != nil {
			return nil, err
		}
	}
	for _, pair := range f.query["attribute"] {
		if err := add(pair, func(s string) (string, bool) { return s, true }); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ledgerRefs reads references of two or three words: chain, transaction, role.
func (f fields) ledgerRefs() ([]vault.LedgerRef, error) {
	var out []vault.LedgerRef
	add := func(ref string) error {
		words := strings.Fields(ref)
		if len(words) < 2 || len(words) > 3 {
			return problem.New(problem.BadMetadata, "ledger_refs want a chain, a transaction and perhaps a role, "+
				"separated by spaces")
		}
		role := ""
		if len(words) == 3 {
			role = words[2]
		}
		out = append(out, vault.LedgerRef{Chain: words[0], Transaction: words[1], Role: role})
		return nil
	}
	for ref := range elements(f.header.Values("Muniment-Ledger-Ref")) {
		if err := add(ref); err != nil {
			return nil, err
		}
	}
	for _, ref := range f.query["ledger_ref"] {
		if err := add(ref); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// elements yields the elements of a list-based header field (RFC 9110, section 5.6.1).
func elements(values []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, value := range values {
			for element := range strings.SplitSeq(value, ",") {
				if element = strings.Trim(element, " \t"); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

func badText(field string) error {
	return problem.New(problem.BadMetadata, field+" is neither visible ASCII nor an RFC 8187 extended value in UTF-8")
}

// decodeHeader reads a header's value: an extended value (RFC 8187, section 3.2) in UTF-8 if it begins like one,
// otherwise visible ASCII and spaces, taken as they are. An extended value in another charset is refused: taken as it
// is, it would be kept as something that nobody meant.
func decodeHeader(value string) (string, bool) {
	const charset = "UTF-8'"
	if len(value) < len(charset) || !strings.EqualFold(value[:len(charset)], charset) {
		if isExtended(value) {
			return "", false
		}
		plain := !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' })
		return value, plain
	}
	language, encoded, ok := strings.Cut(value[len(charset):], "'")
	if !ok || strings.ContainsFunc(language, func(c rune) bool { return c != '-' && !isAlphanumeric(c) }) {
		return "", false
	}
	if strings.ContainsFunc(encoded, func(c rune) bool { return c != '%' && !isAttrChar(c) }) {
		return "", false
	}
	decoded, err := url.PathUnescape(encoded)
	return decoded, err == nil
}

// isExtended says whether a value is charset'language'encoded with something percent-encoded in it, which names and
// titles with apostrophes are not.
func isExtended(value string) bool {
	parts := strings.Split(value, "'")
	if len(parts) != 3 || parts[0] == "" ||
		strings.ContainsFunc(parts[0]+parts[1], func(c rune) bool { return !isAttrChar(c) }) {
		return false
	}
	if strings.ContainsFunc(parts[2], func(c rune) bool { return c != '%' && !isAttrChar(c) }) {
		return false
	}
	decoded, err := url.PathUnescape(parts[2])
	return err == nil && decoded != parts[2]
}

func isAlphanumeric(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// isAttrChar says whether a character stands for itself in an extended value (RFC 8187, section 3.2.1, attr-char).
func isAttrChar(c rune) bool { return isAlphanumeric(c) || strings.ContainsRune("!#$&+-.^_`|~", c) }

// idempotencyKey reads the header, bare or as a quoted string. The vault keeps the key with the document, so it holds
// for as long as the document is on record.
func idempotencyKey(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if len(values) > 1 || key == "" {
		return "", problem.New(problem.BadMetadata, "idempotency_key is empty or given more than once")
	}
	return key, nil
}
