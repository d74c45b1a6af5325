package gateway

import (
	"errors"
	"net/http"
	"time"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault"
	"muniment/vault/approval"
	"muniment/vault/people"
)

func (s *Server) foundTenant(r *request) error {
	var in openapi.NewFounding
	if err := s.json(r, &in); err != nil {
		return err
	}
	begun, err := s.cfg.People.Found(r.Request().Context(), r.who, in.Administrator, in.Approver)
	out := openapi.Founding{Administrator: founder(begun.Administrator), Approver: founder(begun.Approver)}
	return r.acted(http.StatusCreated, out, err)
}

func (s *Server) stopFounding(r *request) error {
	err := s.cfg.People.StopFounding(r.Request().Context(), r.who)
	if errors.Is(err, people.ErrNotFound) {
		return problem.New(problem.NothingBegun, "")
	}
	return r.acted(http.StatusOK, openapi.Stopped{Stopped: true}, err)
}

func founder(f people.FounderCode) openapi.FounderCode {
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
	if in.Code == "" {
		return problem.New(problem.BadRequest, "code is missing.")
	}
	name := ""
	if in.Name != nil {
		name = *in.Name
	}
	claimed, err := s.cfg.People.Claim(r.Request().Context(), in.Code, name)
	switch {
	case errors.Is(err, people.ErrNotFound):
		return problem.New(problem.BadCode, "")
	case errors.Is(err, approval.ErrWaiting):
		return s.recoveryWaits(r)
	}
	out := openapi.Claim{
		Key: claimed.Key.Reveal(), Fingerprint: string(claimed.Key.Fingerprint()), InForce: claimed.InForce,
		Founded: claimed.Founded, Principal: principal(claimed.Principal),
	}
	return r.acted(http.StatusCreated, out, err)
}

// recoveryWaits says from when on the codes of a recovery can be used. Only who has such a code is told.
func (s *Server) recoveryWaits(r *request) error {
	waits := problem.New(problem.WaitingPeriod, "")
	err := s.cfg.Journal.View(r.Request().Context(), func(read journal.Reader) error {
		tenancy, err := s.cfg.Door.Authority().Tenancy(read, vault.DefaultTenant)
		if err == nil && tenancy.Recovery() {
			waits.Detail = "The codes can be used from " + tenancy.Founding.NotBefore.UTC().Format(time.DateTime) +
				" (UTC) on, and later if the server stands still."
		}
		return err
	})
	if err != nil {
		return err
	}
	return waits
}
