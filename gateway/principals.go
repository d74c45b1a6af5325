package gateway

import (
	"errors"
	"net/http"

	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault/access"
	"muniment/vault/people"
)

// maxGrants is how many grants one request may name.
const maxGrants = 64

func (s *Server) listPrincipals(r *request) error {
	at, err := r.time("at")
	if err != nil {
		return err
	}
	all, err := s.cfg.People.Principals(r.Request().Context(), r.who, at)
	if err != nil {
		return err
	}
	out := openapi.PrincipalList{Principals: make([]openapi.Principal, len(all))}
	for i, one := range all {
		out.Principals[i] = principal(one)
	}
	return r.reply(http.StatusOK, out)
}

func (s *Server) getPrincipal(r *request) error {
	id, err := r.named("principal_id")
	if err != nil {
		return err
	}
	at, err := r.time("at")
	if err != nil {
		return err
	}
	found, err := s.cfg.People.PrincipalByID(r.Request().Context(), r.who, id, at)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, principal(found))
}

func (s *Server) createPrincipal(r *request) error {
	var in openapi.NewPrincipal
	if err := s.json(r, &in); err != nil {
		return err
	}
	grants, err := grantsIn(in.Grants, 1)
	if err != nil {
		return err
	}
	wanted := people.NewPrincipal{Grants: grants}
	if in.Name != nil {
		wanted.Name = *in.Name
	}
	created, err := s.cfg.People.CreatePrincipal(r.Request().Context(), r.who, wanted)
	out := openapi.CreatedPrincipal{
		ID: created.Principal.ID.String(), Name: in.Name, Grants: grantsOut(created.Principal.Grants),
		Key: optional(created.Key.Reveal()), Code: optional(created.Code.Reveal()),
		CodeLapsesAt: moment(created.Lapses),
	}
	if p := created.Proposal; p != nil {
		proposed := grantProposal(s.names(r, p.Proposer), *p)
		out.Proposal = &proposed
	}
	return r.acted(http.StatusCreated, out, grantFault(err))
}

func (s *Server) renamePrincipal(r *request) error {
	id, err := r.named("principal_id")
	if err != nil {
		return err
	}
	var in openapi.NewName
	if err := s.json(r, &in); err != nil {
		return err
	}
	err = s.cfg.People.Rename(r.Request().Context(), r.who, id, in.Name)
	return r.acted(http.StatusOK, in, err)
}

func (s *Server) issueCode(r *request) error {
	id, err := r.named("principal_id")
	if err != nil {
		return err
	}
	code, lapses, err := s.cfg.People.IssueCode(r.Request().Context(), r.who, id)
	out := openapi.OneTimeCode{Principal: id.String(), Code: code.Reveal(), LapsesAt: lapses.UTC()}
	return r.acted(http.StatusCreated, out, err)
}

func (s *Server) revokeKeys(r *request) error {
	id, err := r.named("principal_id")
	if err != nil {
		return err
	}
	revoked, err := s.cfg.People.RevokeKeys(r.Request().Context(), r.who, id)
	return r.acted(http.StatusOK, openapi.Revocation{Revoked: revoked}, err)
}

func (s *Server) revokeGrants(r *request) error {
	id, err := r.named("principal_id")
	if err != nil {
		return err
	}
	var in openapi.Grants
	if err := s.json(r, &in); err != nil {
		return err
	}
	grants, err := grantsIn(in.Grants, 1)
	if err != nil {
		return err
	}
	left, err := s.cfg.People.RevokeGrants(r.Request().Context(), r.who, id, grants)
	return r.acted(http.StatusOK, principal(left), err)
}

func (s *Server) whoAmI(r *request) error {
	self, err := s.cfg.People.WhoAmI(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, openapi.Self{
		Tenant: self.Tenant, Trial: self.Trial, Principal: principal(self.Principal),
	})
}

// grantsIn reads grants of a request, of which there are at least so many.
func grantsIn(in []openapi.Grant, least int) ([]access.Grant, error) {
	if len(in) < least || len(in) > maxGrants {
		return nil, problem.New(problem.BadRequest, "grants wants 1 to 64 of them.")
	}
	grants := make([]access.Grant, len(in))
	for i, g := range in {
		grants[i].Role = access.Role(g.Role)
		if g.Series != nil {
			grants[i].Series = *g.Series
		}
	}
	return grants, nil
}

func grantsOut(grants []access.Grant) []openapi.Grant {
	out := make([]openapi.Grant, len(grants))
	for i, g := range grants {
		out[i] = openapi.Grant{Role: openapi.GrantRole(g.Role), Series: optional(g.Series)}
	}
	return out
}

func principal(p people.Principal) openapi.Principal {
	out := openapi.Principal{
		ID: p.ID.String(), Name: optional(p.Name), Origin: p.Origin, CreatedAt: p.Created.UTC(),
		Grants: grantsOut(p.Grants), Keys: make([]openapi.PrincipalKey, len(p.Keys)), Revoked: p.Revoked,
	}
	for i, key := range p.Keys {
		out.Keys[i] = openapi.PrincipalKey{
			Fingerprint: string(key.Fingerprint), AddedAt: key.Added.UTC(), Approved: key.Approved,
		}
	}
	return out
}

// happened says whether an act of authority is on record, covered by a locked checkpoint or not.
func happened(err error) bool { return err == nil || errors.Is(err, access.ErrUnreleased) }
