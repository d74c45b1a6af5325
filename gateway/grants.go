package gateway

import (
	"encoding/base64"
	"errors"
	"net/http"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault"
	"muniment/vault/approval"
	"muniment/vault/people"
)

func (s *Server) listGrantProposals(r *request) error {
	all, err := s.cfg.People.GrantProposals(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	var people []string
	for _, one := range all {
		people = append(people, one.Proposer, one.Approver)
	}
	names := s.names(r, people...)
	out := openapi.GrantProposalList{Proposals: make([]openapi.GrantProposal, len(all))}
	for i, one := range all {
		out.Proposals[i] = grantProposal(names, one)
	}
	return r.reply(http.StatusOK, out)
}

func (s *Server) proposeGrants(r *request) error {
	var in openapi.NewGrants
	if err := s.json(r, &in); err != nil {
		return err
	}
	id, err := journal.ParseID(in.Principal)
	if err != nil {
		return problem.New(problem.NotFound, "")
	}
	grants, err := grantsIn(in.Grants, 0)
	if err != nil {
		return err
	}
	proposed, err := s.cfg.People.ProposeGrants(r.Request().Context(), r.who, id, grants)
	if errors.Is(err, approval.ErrOwnRequest) {
		err = problem.New(problem.SecondPerson, "Nobody widens their own power: another administrator proposes it.")
	}
	return s.proposal(r, http.StatusCreated, proposed, grantFault(err))
}

// grantFault is an error about grants with what to do about it: that of a document's series does not fit.
func grantFault(err error) error {
	if errors.Is(err, vault.ErrNoSeries) {
		return problem.New(problem.UnknownSeries, "muniment series list shows those that there are. A role without a "+
			"series is for the whole tenant.")
	}
	return err
}

// decided is an error about a proposal: one that is over was decided, or replaced.
func decided(err error) error {
	if errors.Is(err, approval.ErrOver) {
		return problem.New(problem.ProposalOver, problem.NoProposal.Explanation)
	}
	return err
}

func (s *Server) approveGrants(r *request) error {
	id, err := r.named("proposal_id")
	if err != nil {
		return err
	}
	var in openapi.NewApproval
	if err := s.json(r, &in); err != nil {
		return err
	}
	digest, err := base64.StdEncoding.Strict().DecodeString(in.Digest)
	if err != nil || len(digest) != len(journal.Hash{}) {
		return problem.New(problem.BadRequest, "digest wants 32 bytes in standard base64.")
	}
	approved, err := s.cfg.People.ApproveGrants(r.Request().Context(), r.who, id, digest)
	return s.proposal(r, http.StatusOK, approved, decided(err))
}

func (s *Server) declineGrants(r *request) error {
	id, err := r.named("proposal_id")
	if err != nil {
		return err
	}
	declined, err := s.cfg.People.DeclineGrants(r.Request().Context(), r.who, id)
	return s.proposal(r, http.StatusOK, declined, decided(err))
}

// proposal answers an act that came to a proposal and err.
func (s *Server) proposal(r *request, status int, p people.GrantProposal, err error) error {
	if !happened(err) {
		return err
	}
	names := s.names(r, p.Principal.String(), p.Proposer, p.Approver)
	if p.Name == "" {
		p.Name = names[p.Principal.String()]
	}
	return r.acted(status, grantProposal(names, p), err)
}

func grantProposal(names names, p people.GrantProposal) openapi.GrantProposal {
	out := openapi.GrantProposal{
		Principal: p.Principal.String(), Name: optional(p.Name),
		Before: grantsOut(p.Before), After: grantsOut(p.After), Keys: make([]openapi.Fingerprint, len(p.Keys)),
		Digest: base64.StdEncoding.EncodeToString(p.Digest), State: openapi.GrantProposalState(p.State),
		Proposer: optional(p.Proposer), ProposerName: names.of(p.Proposer), ProposedAt: moment(p.Proposed),
		LapsesAt: moment(p.Lapses),
		Approver: optional(p.Approver), ApproverName: names.of(p.Approver), ApprovedAt: moment(p.Approved),
	}
	if !p.ID.IsZero() {
		out.ID = optional(p.ID.String())
	}
	for i, key := range p.Keys {
		out.Keys[i] = string(key)
	}
	return out
}
