package gateway

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"muniment/openapi"
	"muniment/vault"
)

// externalPath is where documents are found under their callers' own ids.
const externalPath = "/v1/documents/by-external-id/"

func (s *Server) deposit(r *request) error {
	d, err := r.fields().deposit()
	if err != nil {
		return err
	}
	return s.take(r, d)
}

func (s *Server) put(r *request) error {
	d, err := r.fields().deposit()
	if err != nil {
		return err
	}
	if d.ExternalID, err = r.rest(externalPath); err != nil {
		return err
	}
	return s.take(r, d)
}

// take hands the body to the vault as it comes in. Nothing is read of it before the vault asks, so a client that expects
// 100-continue sends nothing for a deposit that is refused.
func (s *Server) take(r *request, d vault.Deposit) error {
	in := r.Request()
	if in.ContentLength > s.cfg.Limits.MaxBody {
		return refuse(tooLarge, "")
	}
	if encoding := in.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return refuse(unsupportedEncoding, "")
	}
	if err := checkedDigests(in); err != nil {
		return err
	}
	d.MediaType = in.Header.Get("Content-Type")
	switch kind, _, _ := mime.ParseMediaType(d.MediaType); {
	case strings.HasPrefix(kind, "multipart/"):
		return refuse(unsupportedEncoding, "")
	case kind == "application/x-www-form-urlencoded":
		d.MediaType = "" // what curl --data-binary says of everything
	}
	body := newUpload(r.Response(), in.Body, s.cfg.Limits.MaxBody, s.cfg.Limits.Pace)
	body.trailer = &in.Trailer
	d.Content, d.Length = body, in.ContentLength
	done, err := s.cfg.Vault.Deposit(in.Context(), r.who, d)
	s.metrics.taken(body.read)
	if err != nil {
		return body.blame(err)
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
	return r.reply(status, openapi.Deposit{
		ID: d.ID.String(), Created: d.Created, Receipt: receipt(d.Receipt), Document: document(d.Document),
	})
}

func (s *Server) list(r *request) error {
	q, err := r.listing()
	if err != nil {
		return err
	}
	page, err := s.cfg.Vault.List(r.Request().Context(), r.who, q)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, documentPage(page))
}

// listing reads the parameters of a listing.
func (r *request) listing() (vault.Query, error) {
	var q vault.Query
	var ref vault.LedgerRef
	for name, to := range map[string]*string{
		"series": &q.Series, "state": &q.State, "cursor": &q.Cursor, "chain": &ref.Chain, "transaction": &ref.Transaction,
	} {
		value, err := r.text(name)
		if err != nil {
			return q, err
		}
		*to = value
	}
	if q.State != "" && q.State != vault.Kept && q.State != vault.Erased {
		return q, refuse(badRequest, "state wants kept or erased.")
	}
	if (ref.Chain == "") != (ref.Transaction == "") {
		return q, refuse(badRequest, "chain and transaction are given together.")
	}
	if ref.Chain != "" {
		q.Ledger = &ref
	}
	var err error
	if q.After, err = r.moment("deposited_after"); err != nil {
		return q, err
	}
	if q.Before, err = r.moment("deposited_before"); err != nil {
		return q, err
	}
	limit, err := r.number("limit", vault.DefaultPage, 1, vault.MaxPage)
	q.Limit = int(limit)
	return q, err
}

func (s *Server) find(r *request) error {
	externalID, err := r.rest(externalPath)
	if err != nil {
		return err
	}
	found, err := s.cfg.Vault.Find(r.Request().Context(), r.who, externalID)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, document(found))
}

func (s *Server) describe(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	found, err := s.cfg.Vault.Describe(r.Request().Context(), r.who, id)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, document(found))
}

func (s *Server) refuseDelete(*request) error {
	return refuse(dispositionRequired, "").with("Allow", http.MethodGet)
}

func (s *Server) history(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	records, err := s.cfg.Vault.History(r.Request().Context(), r.who, id)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, openapi.History{Entries: entries(records)})
}

func (s *Server) evidence(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	disclose, err := r.flag("disclose")
	if err != nil {
		return err
	}
	file, err := s.cfg.Vault.Evidence(r.Request().Context(), r.who, id, disclose)
	if err != nil {
		return err
	}
	r.Response().Header().Set("Cache-Control", "private, no-store")
	return sendBytes(r.Context, http.StatusOK, "application/json", file)
}
