package gateway

import (
	"bytes"
	"encoding/base64"
	"strings"

	"muniment/gateway/problem"
	"muniment/vault"
)

const (
	// inlineType is the media type of a deposit whose content stands in base64 in the metadata. It is one of its own
	// because a body of application/json is a document of that type.
	inlineType = "application/vnd.muniment.deposit+json"
	// DefaultMaxInline is the length of the longest content of an inline deposit, in bytes.
	DefaultMaxInline = 1 << 20
	// maxInlines is how many inline deposits of one principal may be in memory.
	maxInlines = 4
)

// inlineCopies is how many times its length an inline deposit takes in memory: as it came, as text, and as content.
const inlineCopies = 3

// readInline adds to d what an inline deposit says. Unlike every other deposit it is held in memory, in a few copies
// for a moment, so it is bounded.
func (s *Server) readInline(data []byte, d *vault.Deposit) error {
	var in inlineDeposit
	if err := readMetadata(data, &in); err != nil {
		return err
	}
	if in.ContentBase64 == nil {
		return problem.New(problem.BadBody, "There is no content_base64. A document that is JSON itself is sent as "+
			"application/json.")
	}
	if err := in.addTo(d); err != nil {
		return err
	}
	encoded, most := *in.ContentBase64, s.inlineLimit()
	if int64(base64.StdEncoding.DecodedLen(len(encoded))) > most+2 { // padding is not content
		return problem.New(problem.TooLarge, inlineTooLarge)
	}
	content, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return problem.New(problem.BadBody, "content_base64 is not base64 with padding and without line breaks "+
			"(RFC 4648, section 4).")
	}
	if int64(len(content)) > most {
		return problem.New(problem.TooLarge, inlineTooLarge)
	}
	d.Content = bytes.NewReader(content)
	if d.Length < 0 {
		d.Length = int64(len(content))
	}
	return nil
}

// inlineTooLarge is the detail for an inline deposit that is too long.
const inlineTooLarge = "The content is too long for content_base64. Send it as the body itself, or as a form."

// inlineLimit is the length of the longest content of an inline deposit, in bytes.
func (s *Server) inlineLimit() int64 { return min(s.cfg.Limits.MaxInline, s.cfg.Limits.MaxBody) }

// inlineBody is the length of the longest body of an inline deposit. Base64 may be written with escapes: "\/" is
// common.
func (s *Server) inlineBody() int64 {
	return 2*int64(base64.StdEncoding.EncodedLen(int(s.inlineLimit()))) + maxMetadata
}
