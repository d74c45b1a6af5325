package gateway

import (
	"net/http"

	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/retention"
)

func (s *Server) createSeries(r *request) error {
	var in openapi.NewSeries
	if err := s.json(r, &in); err != nil {
		return err
	}
	wanted := retention.NewSeries{Code: in.Code, Immutable: in.Immutable != nil && *in.Immutable}
	created, err := retention.CreateSeries(r.Request().Context(), s.cfg.Door, r.who, wanted)
	if err != nil {
		return err
	}
	return r.reply(http.StatusCreated, seriesOf(created))
}

func (s *Server) listSeries(r *request) error {
	all, err := retention.ListSeries(r.Request().Context(), s.cfg.Door, r.who)
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

func (s *Server) listPurposes(r *request) error {
	codes, err := s.cfg.Vault.Purposes(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, purposeList(codes))
}

func (s *Server) setPurposes(r *request) error {
	var in openapi.PurposeList
	if err := s.json(r, &in); err != nil {
		return err
	}
	if in.Purposes == nil {
		return problem.New(problem.BadRequest, "purposes is missing; an empty list permits any.")
	}
	codes, err := s.cfg.Vault.SetPurposes(r.Request().Context(), r.who, in.Purposes)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, purposeList(codes))
}

func purposeList(codes []string) openapi.PurposeList {
	return openapi.PurposeList{Purposes: append([]string{}, codes...)}
}
