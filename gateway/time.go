package gateway

import (
	"net/http"
	"time"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/openapi"
)

func (s *Server) settledTime(r *request) error {
	status, err := s.cfg.People.Time(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, s.timeStatus(r, status))
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
	status, err := s.cfg.People.AcknowledgeTime(r.Request().Context(), r.who, in.Gap, length)
	return r.acted(http.StatusOK, s.timeStatus(r, status), err)
}

func (s *Server) timeStatus(r *request, status journal.TimeStatus) openapi.TimeStatus {
	out := openapi.TimeStatus{
		Settled: status.Settled.UTC(), Clock: status.Wall.UTC(),
		Gaps: make([]openapi.TimeGap, len(status.Gaps)), Waits: make([]openapi.Wait, len(status.Waits)),
	}
	for i, g := range status.Gaps {
		kind := openapi.Stop
		if g.Step {
			kind = openapi.Step
		}
		out.Gaps[i] = openapi.TimeGap{Index: g.Index, Length: g.Length.String(), Kind: kind, Settled: g.Settled.UTC()}
	}
	actors := make([]string, len(status.Waits))
	for i, w := range status.Waits {
		actors[i] = w.Actor
	}
	names := s.names(r, actors...)
	for i, w := range status.Waits {
		out.Waits[i] = openapi.Wait{What: w.What, Index: w.Index, Actor: w.Actor, ActorName: names.of(w.Actor),
			Ends: w.Until.UTC(), ClockEnds: status.Clock(w.Until).UTC()}
	}
	return out
}
