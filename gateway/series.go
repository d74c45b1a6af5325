package gateway

import (
	"net/http"

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
