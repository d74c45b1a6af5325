package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"muniment/gateway/problem"
	"muniment/vault"
)

// maxMetadata is the length of the longest metadata in JSON, in bytes: more than the vault would take.
const maxMetadata = 64 << 10

// depositMetadata is the metadata of a deposit in JSON, as a form has it in its first part. A field that is null is
// left out.
type depositMetadata struct {
	Series         string             `json:"series"`
	ExternalID     string             `json:"external_id"`
	IdempotencyKey string             `json:"idempotency_key"`
	FileName       string             `json:"file_name"`
	Title          string             `json:"title"`
	MediaType      string             `json:"media_type"`
	RecordDate     string             `json:"record_date"`
	Attributes     map[string]*string `json:"attributes"`
	LedgerRefs     []*struct {
		Chain       string `json:"chain"`
		Transaction string `json:"transaction"`
		Role        string `json:"role"`
	} `json:"ledger_refs"`
	ContentSHA256 *string `json:"content_sha256"`
	Size          *int64  `json:"size"`
	Acknowledge   string  `json:"acknowledge"`
}

// inlineDeposit is a deposit in JSON: its metadata and its content.
type inlineDeposit struct {
	depositMetadata `json:",embed"`
	ContentBase64   *string `json:"content_base64"`
}

// readMetadata reads metadata in JSON, whether a form's or that of an inline deposit. The problem holds nothing that
// the client sent: only names that the contract has.
func readMetadata(data []byte, into any) error {
	err := readObject(data, into)
	wrongType := new(json.SemanticError)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNotObject):
		return problem.New(problem.BadBody, "The metadata is not a JSON object.")
	case errors.Is(err, errTooMany):
		return problem.New(problem.BadMetadata, "attributes or ledger_refs are too many")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return problem.New(problem.BadBody, "The metadata has a name twice in one object.")
	case errors.Is(err, json.ErrUnknownName):
		return problem.New(problem.BadBody, "The metadata has a name that is not one of a deposit's.")
	case errors.As(err, &wrongType):
		for field := range wrongType.JSONPointer.Tokens() { // the first is one that the struct has
			return problem.New(problem.BadMetadata, field+" has a value of the wrong type")
		}
	}
	return problem.New(problem.BadBody, "The metadata is not JSON in UTF-8.")
}

// addTo adds the metadata to what headers and query say. No field may be given in more than one place. Whether the
// values are good is for the vault to say.
func (m *depositMetadata) addTo(d *vault.Deposit) error {
	for _, f := range []struct {
		name, from string
		to         *string
	}{
		{"series", m.Series, &d.Series}, {"external_id", m.ExternalID, &d.ExternalID},
		{"idempotency_key", m.IdempotencyKey, &d.IdempotencyKey}, {"file_name", m.FileName, &d.FileName},
		{"title", m.Title, &d.Title}, {"record_date", m.RecordDate, &d.RecordDate},
		{"media_type", m.MediaType, &d.MediaType},
	} {
		if f.from == "" {
			continue
		}
		if *f.to != "" {
			return problem.New(problem.UnknownParameter, f.name+" is given more than once")
		}
		*f.to = f.from
	}
	for name, value := range m.Attributes {
		if value == nil {
			return problem.New(problem.BadMetadata, "attributes have a value that is not a string")
		}
		if _, twice := d.Attributes[name]; twice {
			return problem.New(problem.BadMetadata, "attributes have a name twice")
		}
		d.Attributes[name] = *value
	}
	for _, ref := range m.LedgerRefs {
		if ref == nil {
			return problem.New(problem.BadMetadata, "ledger_refs have an element that is not an object")
		}
		d.LedgerRefs = append(d.LedgerRefs, vault.LedgerRef(*ref))
	}
	return m.addChecks(d)
}

// addChecks adds what the content is checked against, and when the deposit is answered.
func (m *depositMetadata) addChecks(d *vault.Deposit) (err error) {
	d.Digest, d.Length = nil, -1
	if m.ContentSHA256 != nil {
		if d.Digest, err = hex.DecodeString(*m.ContentSHA256); err != nil || len(d.Digest) != sha256.Size {
			return problem.New(problem.BadMetadata, "content_sha256 is not a SHA-256 in 64 hexadecimal digits")
		}
	}
	if m.Size != nil {
		if d.Length = *m.Size; d.Length < 0 {
			return problem.New(problem.BadMetadata, "size is not a number of bytes")
		}
	}
	committed, err := parseAcknowledge(m.Acknowledge)
	d.Committed = d.Committed || committed
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
