package gateway

import (
	"net/http"

	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault"
	"muniment/vault/access"
)

// maxGrants is how many grants a principal is created with at most.
const maxGrants = 64

func (s *Server) createPrincipal(r *request) error {
	var in openapi.NewPrincipal
	if err := s.json(r, &in); err != nil {
		return err
	}
	if len(in.Grants) == 0 || len(in.Grants) > maxGrants {
		return problem.New(problem.BadRequest, "grants wants 1 to 64 of them.")
	}
	grants := make([]access.Grant, len(in.Grants))
	for i, g := range in.Grants {
		grants[i].Role = access.Role(g.Role)
		if g.Series != nil {
			grants[i].Series = *g.Series
		}
	}
	created, err := s.cfg.Vault.CreatePrincipal(r.Request().Context(), r.who, vault.NewPrincipal{Grants: grants})
	out := openapi.Principal{
		ID: created.Principal.ID.String(), Key: created.Key.Reveal(), Grants: in.Grants,
	}
	return r.acted(http.StatusCreated, out, err)
}

func (s *Server) revokeKeys(r *request) error {
	id, err := r.named("principal_id")
	if err != nil {
		return err
	}
	revoked, err := s.cfg.Vault.RevokeKeys(r.Request().Context(), r.who, id)
	return r.acted(http.StatusOK, openapi.Revocation{Revoked: revoked}, err)
}
