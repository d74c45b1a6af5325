package gateway

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault"
)

func (s *Server) deposit(r *request) error { return s.take(r, "") }

func (s *Server) put(r *request) error {
	externalID, err := r.rest(externalPath)
	if err != nil {
		return err
	}
	return s.take(r, externalID)
}

// take takes a document in: as the body itself, in a form, or inline in JSON. externalID is the path's, if it has one.
// The body is read only once it is known that the caller may deposit at all, and its content only when the vault asks
// for it, so a client that expects 100-continue sends nothing for a deposit that is refused.
func (s *Server) take(r *request, externalID string) error {
	in := r.Request()
	d, err := r.fields().deposit()
	if err != nil {
		return err
	}
	if externalID != "" {
		d.ExternalID = externalID
	}
	if encoding := in.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return problem.New(problem.UnsupportedEncoding, "")
	}
	if err := checkedDigests(in); err != nil {
		return err
	}
	given := in.Header.Get("Content-Type")
	kind, parameters, _ := mime.ParseMediaType(given)
	switch {
	case kind == "multipart/form-data":
		return s.takeForm(r, d, parameters["boundary"])
	case kind == inlineType:
		return s.takeInline(r, d)
	case strings.HasPrefix(kind, "multipart/"):
		return problem.New(problem.UnsupportedEncoding, "")
	case kind != "application/x-www-form-urlencoded": // curl --data-binary says that of everything
		d.MediaType = given
	}
	body, err := s.body(r, s.cfg.Limits.MaxBody)
	if err != nil {
		return err
	}
	defer body.end()
	d.Content, d.Length = body, in.ContentLength
	return s.keep(r, d, body, body)
}

// takeForm takes in a document that stands in a form.
func (s *Server) takeForm(r *request, d vault.Deposit, boundary string) error {
	if err := s.beforeBody(r, d); err != nil {
		return err
	}
	body, err := s.body(r, s.cfg.Limits.MaxBody+formExtent)
	if err != nil {
		return err
	}
	defer body.end()
	form, err := openForm(body, boundary, s.cfg.Limits.MaxBody, &d)
	if err != nil {
		s.metrics.taken(body.read)
		return body.failureOr(err)
	}
	d.Content = form
	return s.keep(r, d, body, form)
}

// takeInline takes in a document that stands in JSON.
func (s *Server) takeInline(r *request, d vault.Deposit) error {
	if err := s.beforeBody(r, d); err != nil {
		return err
	}
	done, err := s.turn(r, s.quotas.of(r.who).inlines)
	if err != nil {
		return err
	}
	defer done()
	body, err := s.body(r, s.inlineBody())
	if err != nil {
		return err
	}
	defer body.end()
	data, free, err := s.whole(r, body, inlineCopies)
	if err == nil {
		defer free()
		err = s.readInline(data, &d)
	}
	if err != nil {
		s.metrics.taken(body.read)
		return body.failureOr(err)
	}
	return s.keep(r, d, body, body)
}

// beforeBody refuses a request whose metadata is in its body, where it can be refused before that is read.
func (s *Server) beforeBody(r *request, d vault.Deposit) error {
	if d.Digest != nil {
		return problem.New(problem.BadDigest, digestOfBody)
	}
	return s.cfg.Vault.MayDeposit(r.Request().Context(), r.who)
}

// body is the body of a deposit, of which no more than limit bytes are read. It takes one of the caller's places for
// uploads while it is read.
func (s *Server) body(r *request, limit int64) (*body, error) {
	in := r.Request()
	if in.ContentLength > limit {
		return nil, problem.New(problem.TooLarge, "")
	}
	body := newBody(r.Response(), in.Body, limit, s.cfg.Limits.MinSpeed)
	body.trailer = &in.Trailer
	body.begin = func() (func(), error) { return s.quotas.upload(in.Context(), r.who) }
	return body, nil
}

// keep hands a document to the vault, which reads its content as it comes in, and answers.
func (s *Server) keep(r *request, d vault.Deposit, body *body, content interface{ failureOr(error) error }) error {
	done, err := s.cfg.Vault.Deposit(r.Request().Context(), r.who, d)
	s.metrics.taken(body.read)
	if err != nil {
		return content.failureOr(err)
	}
	return r.deposited(done)
}

// deposited answers with the receipt, in JSON and, for clients without JSON, in headers.
func (r *request) deposited(d vault.Deposited) error {
	h := r.Response().Header()
	h.Set("Location", "/v1/documents/"+d.ID.String())
	h.Set("Muniment-Document-Id", d.ID.String())
	h.Set("Muniment-Index", strconv.FormatUint(d.Receipt.Index, 10))
	status := http.StatusOK
	if d.Created {
		status = http.StatusCreated
	}
	acknowledged := openapi.AcknowledgeCommitted
	if d.Receipt.Checkpoint != nil {
		acknowledged = openapi.AcknowledgeReleased
	}
	return r.reply(status, openapi.Deposit{
		ID: d.ID.String(), Created: d.Created, Acknowledged: acknowledged, Receipt: receipt(d.Receipt),
		Document: document(nil, d.Document),
	})
}
