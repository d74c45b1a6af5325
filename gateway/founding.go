package gateway

import (
	"net/http"

	"muniment/openapi"
	"muniment/vault"
)

func (s *Server) foundTenant(r *request) error {
	var in openapi.NewFounding
	if err := s.json(r, &in); err != nil {
		return err
	}
	begun, err := s.cfg.Vault.Found(r.Request().Context(), r.who, in.Administrator, in.Approver)
	out := openapi.Founding{Administrator: founder(begun.Administrator), Approver: founder(begun.Approver)}
	return r.acted(http.StatusCreated, out, err)
}

func founder(f vault.FounderCode) openapi.FounderCode {
	return openapi.FounderCode{
		Principal: f.Principal.String(), Name: optional(f.Name), Code: f.Code.Reveal(), LapsesAt: f.Lapses.UTC(),
	}
}

// claimKey is called by people who have no credential but the code.
func (s *Server) claimKey(r *request) error {
	var in openapi.NewClaim
	if err := s.json(r, &in); err != nil {
		return err
	}
	name := ""
	if in.Name != nil {
		name = *in.Name
	}
	claimed, err := s.cfg.Vault.Claim(r.Request().Context(), in.Code, name)
	out := openapi.Claim{
		Key: claimed.Key.Reveal(), Fingerprint: string(claimed.Key.Fingerprint()), InForce: claimed.InForce,
		Founded: claimed.Founded, Principal: principal(claimed.Principal),
	}
	return r.acted(http.StatusCreated, out, err)
}
