package gateway

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"net/http"

	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/openapi"
)

// verify judges an evidence file, or asks whether a digest is that of a document. Either way the verdict is that of the
// auditor's own code, package evidence.
func (s *Server) verify(r *request) error {
	if kind, _, _ := mime.ParseMediaType(r.Request().Header.Get("Content-Type")); kind != "application/json" {
		return refuse(notJSON, "")
	}
	if r.Request().Header.Get("Content-Encoding") != "" {
		return refuse(unsupportedEncoding, "")
	}
	body := newUpload(r.Response(), r.Request().Body, evidence.MaxSize, s.cfg.Limits.Pace)
	data, err := io.ReadAll(body)
	if err != nil {
		return body.blame(err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return refuse(badRequest, "The body is not a JSON object.")
	}
	in := evidence.Input{Evidence: data, Policy: s.cfg.Policy}
	if _, isFile := top["v"]; !isFile {
		if in.Evidence, in.Digest, err = s.question(r, top); err != nil {
			return err
		}
	}
	return r.reply(http.StatusOK, evidence.Verify(in))
}

// question reads a document id with a digest, and gets the evidence that answers it. That discloses as much as the
// document's own evidence would, and so asks for the same permission.
func (s *Server) question(r *request, top map[string]json.RawMessage) (file, digest []byte, err error) {
	var q openapi.DigestQuestion
	for name, to := range map[string]*string{"document": &q.Document, "digest": &q.Digest} {
		if err := json.Unmarshal(top[name], to); err != nil || len(top) != 2 {
			return nil, nil, refuse(badRequest, "The body is neither an evidence file nor a document with a digest.")
		}
	}
	id, err := journal.ParseID(q.Document)
	if err != nil {
		return nil, nil, refuse(badID, "")
	}
	digest, err = hex.DecodeString(q.Digest)
	if err != nil || len(digest) != evidence.HashSize {
		return nil, nil, refuse(badRequest, "digest wants a SHA-256 in 64 hexadecimal digits.")
	}
	file, err = s.cfg.Vault.Evidence(r.Request().Context(), r.who, id, true)
	return file, digest, err
}
