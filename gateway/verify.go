package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"

	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/openapi"
)

const (
	// maxEvidence is the length of the longest body, in bytes: the story of a document with more than a thousand
	// events.
	maxEvidence = 4 << 20
	// maxQuestion is more than a document id and a digest take, however they are written.
	maxQuestion = 4 << 10
)

// verify judges an evidence file, or asks whether a digest is that of a document. Either way the verdict is that of the
// auditor's own code, package evidence.
func (s *Server) verify(r *request) error {
	if kind, _, _ := mime.ParseMediaType(r.Request().Header.Get("Content-Type")); kind != "application/json" {
		return problem.New(problem.NotJSON, "")
	}
	if r.Request().Header.Get("Content-Encoding") != "" {
		return problem.New(problem.UnsupportedEncoding, "")
	}
	done, err := s.turn(r, s.quotas.of(r.who).verifying)
	if err != nil {
		return err
	}
	defer done()
	body := newBody(r.Response(), r.Request().Body, maxEvidence, s.cfg.Limits.MinSpeed)
	data, free, err := s.whole(r, body, 1)
	if err != nil {
		return body.failureOr(err)
	}
	defer free()
	if !json.Valid(data) || bytes.TrimLeft(data, " \t\r\n")[0] != '{' {
		return problem.New(problem.BadRequest, "The body is not a JSON object.")
	}
	in := evidence.Input{Evidence: data, Policy: s.cfg.Policy}
	if len(data) <= maxQuestion { // more is not built before the verifier has counted what is in it
		var top map[string]json.RawMessage
		if err := json.Unmarshal(data, &top); err != nil {
			return problem.New(problem.BadRequest, "The body is not a JSON object.")
		}
		if _, isFile := top["v"]; !isFile {
			if in.Evidence, in.Digest, err = s.question(r, data); err != nil {
				return err
			}
		}
	}
	report, err := s.judge(r.Request().Context(), in)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, report)
}

// turn waits until the caller has less in memory than it may, and takes its turn until done is called.
func (s *Server) turn(r *request, turns chan struct{}) (done func(), err error) {
	ctx, cancel := context.WithTimeout(r.Request().Context(), s.cfg.Limits.MinSpeed.Stall)
	defer cancel()
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the caller's other requests: %w", ctx.Err())
	}
}

// judge has a few files judged at a time: each may take many times its length.
func (s *Server) judge(ctx context.Context, in evidence.Input) (evidence.Report, error) {
	select {
	case s.judging <- struct{}{}:
	case <-ctx.Done():
		return evidence.Report{}, fmt.Errorf("waiting for other verifications: %w", ctx.Err())
	}
	defer func() { <-s.judging }()
	return evidence.Verify(in), nil
}

// question reads a document id with a digest, and gets the evidence that answers it. That discloses as much as the
// document's own evidence would, and so asks for the same permission.
func (s *Server) question(r *request, body []byte) (file, digest []byte, err error) {
	var q openapi.DigestQuestion
	if err := readObject(body, &q); err != nil || q.Document == "" || q.Digest == "" {
		return nil, nil, problem.New(problem.BadRequest,
			"The body is neither an evidence file nor a document with a digest.")
	}
	id, err := journal.ParseID(q.Document)
	if err != nil {
		return nil, nil, problem.New(problem.BadID, "")
	}
	digest, err = hex.DecodeString(q.Digest)
	if err != nil || len(digest) != evidence.HashSize {
		return nil, nil, problem.New(problem.BadRequest, "digest wants a SHA-256 in 64 hexadecimal digits.")
	}
	file, err = s.cfg.Vault.Evidence(r.Request().Context(), r.who, id, true)
	return file, digest, err
}
