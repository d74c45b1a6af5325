package gateway

import (
	"net/http"

	"muniment/gateway/problem"
	"muniment/openapi"
)

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
