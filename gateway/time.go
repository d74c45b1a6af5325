package gateway

import (
	"net/http"
	"time"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/openapi"
)

func (s *Server) settledTime(r *request) error {
	status, err := s.cfg.Vault.Time(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, timeStatus(status))
}

func (s *Server) acknowledgeTime(r *request) error {
	var in openapi.NewAcknowledgement
	if err := s.json(r, &in); err != nil {
		return err
	}
	length, err := time.ParseDuration(in.Length)
	if err != nil || length <= 0 {
		return problem.New(problem.BadRequest, "length wants hours, minutes and seconds, as 60h0m12s.")
	}
	status, err := s.cfg.Vault.AcknowledgeTime(r.Request().Context(), r.who, in.Gap, length)
	return r.acted(http.StatusOK, timeStatus(status), err)
}

func timeStatus(s journal.TimeStatus) openapi.TimeStatus {
	out := openapi.TimeStatus{
		Settled: s.Settled.UTC(), Clock: s.Wall.UTC(),
		Gaps: make([]openapi.TimeGap, len(s.Gaps)), Waits: make([]openapi.Wait, len(s.Waits)),
	}
	for i, g := range s.Gaps {
		kind := openapi.Stop
		if g.Step {
			kind = openapi.Step
		}
		out.Gaps[i] = openapi.TimeGap{Index: g.Index, Length: g.Length.String(), Kind: kind, Settled: g.Settled.UTC()}
	}
	for i, w := range s.Waits {
		out.Waits[i] = openapi.Wait{What: w.What, Index: w.Index, Actor: w.Actor, Ends: w.Until.UTC(),
			ClockEnds: s.Clock(w.Until).UTC()}
	}
	return out
}
