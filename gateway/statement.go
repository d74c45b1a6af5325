package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"muniment/gateway/problem"
	"muniment/vault"
)

const (
	// maxMetadata is the length of the longest metadata in JSON, in bytes: more than the vault would take.
	maxMetadata = 64 << 10
	// maxListed is how many attributes, or references, are read: more than the vault would take. An inline deposit has
	// room for a million empty ones, which would take many times its length in memory.
	maxListed = 1000
)

// statement is what a deposit says of itself in JSON: the metadata part of a form, or the whole of an inline deposit.
type statement struct {
	vault.Deposit
	content    string // in base64; of an inline deposit
	hasContent bool
}

// parseStatement reads a statement strictly: UTF-8, known names, each once, values of the right type. What is in the
// values is the vault's to judge. Null is the same as nothing. inline permits content_base64. No refusal holds what the
// client sent.
func parseStatement(data []byte, inline bool) (*statement, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, problem.New(problem.BadBody, "The metadata is not JSON in UTF-8.")
	}
	if loneSurrogate(data) {
		return nil, problem.New(problem.BadBody, "The metadata has half of a surrogate pair, which stands for no character.")
	}
	s := &statement{}
	s.Length = -1
	in := strictJSON{json.NewDecoder(bytes.NewReader(data))}
	in.dec.UseNumber()
	if in.next() != json.Delim('{') {
		return nil, problem.New(problem.BadBody, "The metadata is not a JSON object.")
	}
	texts := map[string]*string{
		"series": &s.Series, "external_id": &s.ExternalID, "idempotency_key": &s.IdempotencyKey,
		"file_name": &s.FileName,
		"title":     &s.Title, "media_type": &s.MediaType, "record_date": &s.RecordDate,
	}
	err := in.object(func(name string) error {
		if to, ok := texts[name]; ok {
			_, err := in.text(name, to)
			return err
		}
		switch {
		case name == "attributes":
			return in.attributes(s)
		case name == "ledger_refs":
			return in.ledgerRefs(s)
		case name == "content_sha256":
			return in.digest(s)
		case name == "size":
			return in.size(s)
		case name == "acknowledge":
			return in.acknowledge(s)
		case name == "content_base64" && inline:
			var err error
			s.hasContent, err = in.text(name, &s.content)
			return err
		}
		return problem.New(problem.BadBody, "The metadata has a name that is not one of a deposit's.")
	})
	return s, err
}

// into adds the statement to what headers and query say. No field may be given in more than one place.
func (s *statement) into(d *vault.Deposit) error {
	for _, f := range []struct {
		name     string
		from, to *string
	}{
		{"series", &s.Series, &d.Series}, {"external_id", &s.ExternalID, &d.ExternalID},
		{"idempotency_key", &s.IdempotencyKey, &d.IdempotencyKey}, {"file_name", &s.FileName, &d.FileName},
		{"title", &s.Title, &d.Title}, {"record_date", &s.RecordDate, &d.RecordDate},
		{"media_type", &s.MediaType, &d.MediaType},
	} {
		if *f.from == "" {
			continue
		}
		if *f.to != "" {
			return problem.New(problem.UnknownParameter, f.name+" is given more than once")
		}
		*f.to = *f.from
	}
	for name, value := range s.Attributes {
		if _, twice := d.Attributes[name]; twice {
			return problem.New(problem.BadMetadata, "attributes have a name twice")
		}
		d.Attributes[name] = value
	}
	d.LedgerRefs = append(d.LedgerRefs, s.LedgerRefs...)
	d.Digest, d.Length, d.Committed = s.Digest, s.Length, d.Committed || s.Committed
	return nil
}

// strictJSON walks over JSON whose grammar has been checked. Whatever is deeper or of another type than a deposit's
// metadata is refused at once, so depth costs nothing.
type strictJSON struct{ dec *json.Decoder }

// next is the next token; nil for null, and when there is none, which a checked grammar excludes.
func (j strictJSON) next() json.Token {
	token, err := j.dec.Token()
	if err != nil {
		return nil
	}
	return token
}

// object reads the rest of an object whose brace has been read. Names are compared exactly, unlike encoding/json's.
func (j strictJSON) object(field func(name string) error) error {
	seen := map[string]bool{}
	for j.dec.More() {
		name, _ := j.next().(string)
		if seen[name] {
			return problem.New(problem.BadBody, "The metadata has a name twice in one object.")
		}
		seen[name] = true
		if err := field(name); err != nil {
			return err
		}
	}
	j.next()
	return nil
}

// text reads a string; given is false for null.
func (j strictJSON) text(name string, to *string) (given bool, err error) {
	switch value := j.next().(type) {
	case string:
		*to = value
		return true, nil
	case nil:
		return false, nil
	}
	return false, problem.New(problem.BadMetadata, name+" is not a string")
}

func (j strictJSON) attributes(s *statement) error {
	switch j.next() {
	case nil:
		return nil
	case json.Delim('{'):
	default:
		return problem.New(problem.BadMetadata, "attributes are not an object")
	}
	s.Attributes = map[string]string{}
	return j.object(func(name string) error {
		if len(s.Attributes) == maxListed {
			return problem.New(problem.BadMetadata, "attributes are too many")
		}
		value, ok := j.next().(string)
		if !ok {
			return problem.New(problem.BadMetadata, "attributes have a value that is not a string")
		}
		s.Attributes[name] = value
		return nil
	})
}

func (j strictJSON) ledgerRefs(s *statement) error {
	switch j.next() {
	case nil:
		return nil
	case json.Delim('['):
	default:
		return problem.New(problem.BadMetadata, "ledger_refs are not an array")
	}
	for j.dec.More() {
		if len(s.LedgerRefs) == maxListed {
			return problem.New(problem.BadMetadata, "ledger_refs are too many")
		}
		if j.next() != json.Delim('{') {
			return problem.New(problem.BadMetadata, "ledger_refs have an element that is not an object")
		}
		var ref vault.LedgerRef
		fields := map[string]*string{"chain": &ref.Chain, "transaction": &ref.Transaction, "role": &ref.Role}
		err := j.object(func(name string) error {
			to, ok := fields[name]
			if !ok {
				return problem.New(problem.BadBody, "ledger_refs have a name that is none of chain, transaction and role.")
			}
			_, err := j.text("a field of ledger_refs", to)
			return err
		})
		if err != nil {
			return err
		}
		s.LedgerRefs = append(s.LedgerRefs, ref)
	}
	j.next()
	return nil
}

func (j strictJSON) digest(s *statement) error {
	var value string
	given, err := j.text("content_sha256", &value)
	if err != nil || !given {
		return err
	}
	if s.Digest, err = hex.DecodeString(value); err != nil || len(s.Digest) != sha256.Size {
		return problem.New(problem.BadMetadata, "content_sha256 is not a SHA-256 in 64 hexadecimal digits")
	}
	return nil
}

func (j strictJSON) size(s *statement) error {
	switch value := j.next().(type) {
	case nil:
		return nil
	case json.Number:
		n, err := strconv.ParseInt(value.String(), 10, 64)
		if err == nil && n >= 0 {
			s.Length = n
			return nil
		}
	}
	return problem.New(problem.BadMetadata, "size is not a number of bytes")
}

func (j strictJSON) acknowledge(s *statement) (err error) {
	var value string
	if _, err = j.text("acknowledge", &value); err == nil {
		s.Committed, err = parseAcknowledge(value)
	}
	return err
}

// parseAcknowledge says whether a deposit is answered before its release.
func parseAcknowledge(value string) (committed bool, err error) {
	switch value {
	case "", "released":
		return false, nil
	case "committed":
		return true, nil
	}
	return false, problem.New(problem.BadMetadata, "acknowledge is neither released nor committed")
}

// loneSurrogate says whether a string of valid JSON has a \u escape of half a surrogate pair, which encoding/json would
// turn into U+FFFD without a word.
func loneSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // the character after the backslash, which a backslash may be
		if data[i] != 'u' {
			continue
		}
		switch unit := hexUnit(data[i+1:]); {
		case unit >= 0xdc00 && unit <= 0xdfff:
			return true
		case unit >= 0xd800 && unit <= 0xdbff:
			rest := data[i+5:]
			if len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' || hexUnit(rest[2:])&0xfc00 != 0xdc00 {
				return true
			}
			i += 6
		}
		i += 4
	}
	return false
}

// hexUnit reads the four digits of a \u escape.
func hexUnit(digits []byte) uint64 {
	unit, _ := strconv.ParseUint(string(digits[:4]), 16, 16)
	return unit
}
