package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"strings"

	"muniment/gateway/problem"
)

// maxJSON is the length of the longest body that is JSON, in bytes, where a call has no other limit.
const maxJSON = 64 << 10

// json reads a body that is one JSON object with no other fields than those of into, none of them twice in one object.
func (s *Server) json(r *request, into any) error {
	if kind, _, _ := mime.ParseMediaType(r.Request().Header.Get("Content-Type")); kind != "application/json" {
		return problem.New(problem.NotJSON, "")
	}
	if r.Request().Header.Get("Content-Encoding") != "" {
		return problem.New(problem.UnsupportedEncoding, "")
	}
	body := newUpload(r.Response(), r.Request().Body, maxJSON, s.cfg.Limits.Pace)
	data, err := io.ReadAll(body)
	if err != nil {
		return body.blame(err)
	}
	if err := parseForm(data, into); err != nil {
		return problem.New(problem.BadRequest, "The body is not one JSON object with the fields of this call and no others.")
	}
	return nil
}

var errForm = errors.New("not one JSON object whose fields stand there once, in lower case")

// parseForm reads one JSON object strictly, and the objects in it too: package json alone would take the last of two
// equal fields, and "CODE" for "code", so that a reviewer could read one thing and another be done.
func parseForm(data []byte, into any) error {
	if !json.Valid(data) || bytes.TrimLeft(data, " \t\r\n")[0] != '{' { // nothing follows it, and its depth has an end
		return errForm
	}
	if err := strictFields(json.NewDecoder(bytes.NewReader(data))); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errForm
	}
	return nil
}

// strictFields walks over one value of JSON whose grammar has been checked: no object in it has a field twice, or one
// that is not in lower case.
func strictFields(d *json.Decoder) error {
	open, err := d.Token()
	if err != nil {
		return errForm
	}
	delim, nested := open.(json.Delim)
	if !nested {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, _ := d.Token()
			key, ok := name.(string)
			if !ok || seen[key] || key != strings.ToLower(key) {
				return errForm
			}
			seen[key] = true
		}
		if err := strictFields(d); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace or bracket
		return errForm
	}
	return nil
}
