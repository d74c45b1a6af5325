package gateway

import (
	"net/http"

	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault"
	"muniment/vault/budget"
)

// externalPath is where documents are found under their callers' own ids.
const externalPath = "/v1/documents/by-external-id/"

func (s *Server) list(r *request) error {
	q, err := r.documentQuery()
	if err != nil {
		return err
	}
	page, err := s.cfg.Vault.List(r.Request().Context(), r.who, q)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, documentPage(s.depositors(r, page), page))
}

// documentQuery reads the parameters of a listing.
func (r *request) documentQuery() (vault.Query, error) {
	var q vault.Query
	var ref vault.LedgerRef
	for name, to := range map[string]*string{
		"series": &q.Series, "state": &q.State, "cursor": &q.Cursor, "chain": &ref.Chain,
		"transaction": &ref.Transaction,
	} {
		value, err := r.text(name)
		if err != nil {
			return q, err
		}
		*to = value
	}
	if q.State != "" && q.State != vault.Kept && q.State != vault.Erased {
		return q, problem.New(problem.BadRequest, "state wants kept or erased.")
	}
	if (ref.Chain == "") != (ref.Transaction == "") {
		return q, problem.New(problem.BadRequest, "chain and transaction are given together.")
	}
	if ref.Chain != "" {
		q.Ledger = &ref
	}
	var err error
	if q.After, err = r.time("deposited_after"); err != nil {
		return q, err
	}
	if q.Before, err = r.time("deposited_before"); err != nil {
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
	series, err := r.text("series")
	if err != nil {
		return err
	}
	found, err := s.cfg.Vault.Find(r.Request().Context(), r.who, series, externalID)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, document(s.names(r, found.Depositor), found))
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
	return r.reply(http.StatusOK, document(s.names(r, found.Depositor), found))
}

func (s *Server) refuseDelete(*request) error {
	return problem.New(problem.DispositionRequired, "").With("Allow", http.MethodGet)
}

func (s *Server) history(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	before, err := r.number("before", 0, 0, maxNumber)
	if err != nil {
		return err
	}
	limit, err := r.number("limit", vault.DefaultHistory, 1, vault.MaxHistory)
	if err != nil {
		return err
	}
	page, err := s.cfg.Vault.History(r.Request().Context(), r.who, id, before, int(limit))
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, openapi.History{
		Entries: entries(s.actors(r, page.Records), page.Records), Next: optional(page.Next),
	})
}

// evidenceMemory is the memory that making evidence takes, and sending it to a client that is slow, in bytes.
const evidenceMemory = 1 << 20

func (s *Server) evidence(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	disclose, err := r.flag("disclose")
	if err != nil {
		return err
	}
	memory, err := s.cfg.Memory.Take(r.Request().Context(), r.who.Principal.String(), budget.Bodies, evidenceMemory)
	if err != nil {
		return err
	}
	defer memory.Free()
	file, err := s.cfg.Vault.Evidence(r.Request().Context(), r.who, id, disclose)
	if err != nil {
		return err
	}
	r.Response().Header().Set("Cache-Control", "private, no-store")
	return sendBytes(r.Context, http.StatusOK, "application/json", file)
}
