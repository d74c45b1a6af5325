package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"muniment/gateway/problem"
)

const (
	// maxJSON is the length of the longest body that is JSON, in bytes, where a call has no other limit.
	maxJSON = 64 << 10
	// maxElements is how many elements one object or array may have: more than the vault would take. An inline
	// deposit has room for a million empty ones.
	maxElements = 1000
)

// json reads a body that is one JSON object with no other fields than those of into, none of them twice in one object.
func (s *Server) json(r *request, into any) error {
	if kind, _, _ := mime.ParseMediaType(r.Request().Header.Get("Content-Type")); kind != "application/json" {
		return problem.New(problem.NotJSON, "")
	}
	if r.Request().Header.Get("Content-Encoding") != "" {
		return problem.New(problem.UnsupportedEncoding, "")
	}
	body := newBody(r.Response(), r.Request().Body, maxJSON, s.cfg.Limits.MinSpeed)
	data, free, err := s.whole(r, body, 1)
	if err != nil {
		return body.failureOr(err)
	}
	defer free()
	if err := readObject(data, into); err != nil {
		return problem.New(problem.BadRequest, "The body is not one JSON object with the fields of this call and "+
			"no others.")
	}
	return nil
}

// errNotObject says that JSON is of another type than an object.
var errNotObject = errors.New("not a JSON object")

// errTooMany says that an object or array of JSON has more than maxElements.
var errTooMany = errors.New("too many elements in one object or array")

// readObject reads one JSON object strictly into a struct: UTF-8, each name once and written as the struct has it,
// none that it does not have, and nothing after it. Otherwise a reviewer could read one thing and another be done.
// Its errors may hold what the client sent.
func readObject(data []byte, into any) error {
	if err := checkJSON(data); err != nil {
		return err
	}
	if jsontext.Value(data).Kind() != jsontext.KindBeginObject {
		return errNotObject
	}
	return json.Unmarshal(data, into, json.RejectUnknownMembers(true))
}

// checkJSON checks the grammar without building anything, and that nothing could be built that takes many times the
// length of the data.
func checkJSON(data []byte) error {
	in := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := in.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		kind, length := in.StackIndex(in.StackDepth())
		if kind == jsontext.KindBeginObject {
			length /= 2 // names and values are counted
		}
		if length > maxElements {
			return errTooMany
		}
	}
}
