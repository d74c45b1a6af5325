package gateway

import (
	"net/http"

	"muniment/anchor/journal"
	"muniment/openapi"
	"muniment/retention"
	"muniment/vault/access"
)

func (s *Server) createSeries(r *request) error {
	var in openapi.NewSeries
	if err := s.json(r, &in); err != nil {
		return err
	}
	ctx := r.Request().Context()
	// The commit asks for permission too; the vault is asked before because it counts refusals, so that a flood of them
	// shares an event.
	if err := s.cfg.Vault.Permit(ctx, r.who, access.ManageFile); err != nil {
		return err
	}
	wanted := retention.NewSeries{Code: in.Code, Immutable: in.Immutable != nil && *in.Immutable}
	created, err := retention.CreateSeries(ctx, s.cfg.Journal, r.who, wanted)
	if err != nil {
		return err
	}
	return r.reply(http.StatusCreated, seriesOf(created))
}

func (s *Server) listSeries(r *request) error {
	ctx := r.Request().Context()
	if err := s.cfg.Vault.Permit(ctx, r.who, access.ViewFile); err != nil {
		return err
	}
	var all []retention.Series
	err := s.cfg.Journal.View(ctx, func(view journal.Reader) (err error) {
		all, err = retention.ListSeries(view, r.who.Tenant)
		return err
	})
	if err != nil {
		return err
	}
	out := openapi.SeriesList{Series: make([]openapi.Series, len(all))}
	for i, one := range all {
		out.Series[i] = seriesOf(one)
	}
	return r.reply(http.StatusOK, out)
}

func seriesOf(s retention.Series) openapi.Series {
	return openapi.Series{Code: s.Code, Default: s.Default, Immutable: s.Immutable, CreatedAt: s.Created}
}
