package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"strings"
)

// maxJSON is the length of the longest body that is JSON, in bytes, where a call has no other limit.
const maxJSON = 64 << 10

// json reads a body that is one JSON object with no other fields than those of into, none of them twice.
func (s *Server) json(r *request, into any) error {
	if kind, _, _ := mime.ParseMediaType(r.Request().Header.Get("Content-Type")); kind != "application/json" {
		return refuse(notJSON, "")
	}
	if r.Request().Header.Get("Content-Encoding") != "" {
		return refuse(unsupportedEncoding, "")
	}
	body := newUpload(r.Response(), r.Request().Body, maxJSON, s.cfg.Limits.Pace)
	data, err := io.ReadAll(body)
	if err != nil {
		return body.blame(err)
	}
	if err := parseForm(data, into); err != nil {
		return &refusal{problem: badRequest, detail: "The body is not one JSON object with the fields of this call and no others."}
	}
	return nil
}

var errForm = errors.New("not one JSON object whose fields stand there once, in lower case")

// parseForm reads one JSON object strictly: package json alone would take the last of two equal fields, and "CODE" for "code".
func parseForm(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errForm
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		key, ok := name.(string)
		if err != nil || !ok || seen[key] || key != strings.ToLower(key) {
			return errForm
		}
		seen[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errForm
		}
	}
	if !json.Valid(data) { // nothing follows
		return errForm
	}
	d = json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errForm
	}
	return nil
}
