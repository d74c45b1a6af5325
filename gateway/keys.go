package gateway

import (
	"errors"
	"net/http"
	"time"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault/approval"
	"muniment/vault/rekey"
)

func (s *Server) keyStatus(r *request) error {
	status, err := s.cfg.Keys.Status(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	out := openapi.KeyStatus{
		Journal: status.Journal.String(),
		Tenant:  status.Tenant, Custody: openapi.Elsewhere, Newest: status.Newest, Oldest: status.Oldest,
		RotatedAt: moment(status.Rotated), Rewrapped: status.Rewrapped, BackupCovers: status.Covered,
		BackupSize: optional(status.Backup), TrimWaitSeconds: int64(status.TrimWait / time.Second),
		Trims: make([]openapi.Trim, len(status.Trims)),
		Shipping: openapi.ShippingKey{Number: status.Shipping.Number, Shipped: status.Shipping.Shipped,
			Done: optional(status.Shipping.Done), Of: optional(status.Shipping.Of)},
	}
	if status.Custodian {
		out.Custody = openapi.Gateway
	}
	if v := status.InService; v != nil {
		out.InService = &openapi.KeyVersions{Newest: v.Newest, Oldest: v.Oldest, Kept: v.Kept}
	}
	if status.Rewrap != nil {
		out.Rewrap = optional(rewrap(*status.Rewrap))
	}
	var people []string
	for _, one := range status.Trims {
		people = append(people, one.Proposer, one.Approver)
	}
	names := s.names(r, people...)
	for i, one := range status.Trims {
		out.Trims[i] = trim(names, one)
		if one.State.Open() {
			out.Trims[i].ClockNotBefore = moment(status.Time.Clock(one.NotBefore))
		}
	}
	if behind := status.Time.Behind(); behind > 0 {
		out.Unacknowledged = optional(behind.String())
	}
	return r.reply(http.StatusOK, out)
}

func (s *Server) rotateKey(r *request) error {
	done, err := s.cfg.Keys.Rotate(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, openapi.Rotation{Version: done.Version, Recorded: done.Recorded})
}

func (s *Server) reshipKey(r *request) error {
	number, err := s.cfg.Keys.Reship(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	return r.reply(http.StatusOK, openapi.Rotation{Version: number, Recorded: true})
}

func (s *Server) rewrapKeys(r *request) error {
	running, err := s.cfg.Keys.StartRewrap(r.Request().Context(), r.who)
	if err != nil {
		return err
	}
	return r.reply(http.StatusAccepted, rewrap(running))
}

func (s *Server) proposeTrim(r *request) error {
	var in openapi.NewTrim
	if err := s.json(r, &in); err != nil {
		return err
	}
	oldest := 0
	if in.Oldest != nil {
		oldest = *in.Oldest
	}
	proposed, err := s.cfg.Keys.ProposeTrim(r.Request().Context(), r.who, oldest)
	return r.acted(http.StatusCreated, s.trim(r, proposed), err)
}

func (s *Server) approveTrim(r *request) error {
	id, err := r.named("trim_id")
	if err != nil {
		return err
	}
	approved, err := s.cfg.Keys.ApproveTrim(r.Request().Context(), r.who, id)
	return r.acted(http.StatusOK, s.trim(r, approved), err)
}

func (s *Server) runTrim(r *request) error {
	id, err := r.named("trim_id")
	if err != nil {
		return err
	}
	done, err := s.cfg.Keys.RunTrim(r.Request().Context(), r.who, id)
	if errors.Is(err, rekey.ErrNotStarted) {
		return err
	}
	status := http.StatusOK
	if done.State == approval.Begun {
		status = http.StatusAccepted
	}
	return r.acted(status, s.trim(r, done), err)
}

// named is an id in the path that is not a document's. A malformed id is answered 404: it names nothing.
func (r *request) named(parameter string) (journal.ID, error) {
	id, err := journal.ParseID(r.Param(parameter))
	if err != nil {
		return journal.ID{}, problem.New(problem.NotFound, "")
	}
	return id, nil
}

// moment is a time that is left out when there is none.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

func rewrap(w rekey.Rewrap) openapi.Rewrap {
	out := openapi.Rewrap{
		State: openapi.RewrapState(w.State), Version: w.Version, Walked: w.Seen, Of: w.Total, Rewrapped: w.Rewrapped,
		Unreadable: w.Unreadable, BeganAt: w.Began.UTC(), EndedAt: moment(w.Ended),
	}
	if w.Err != nil {
		out.Problem = optional(problem.Of(w.Err).Kind.JSON())
	}
	return out
}

// trim is a trim with the names of those who have acted in it.
func (s *Server) trim(r *request, t rekey.Trim) openapi.Trim {
	return trim(s.names(r, t.Proposer, t.Approver), t)
}

func trim(names names, t rekey.Trim) openapi.Trim {
	return openapi.Trim{
		ID: t.ID.String(), State: openapi.TrimState(t.State), Oldest: t.Oldest, Proposer: t.Proposer,
		ProposerName: names.of(t.Proposer),
		ProposedAt:   t.Proposed,
		NotBefore:    t.NotBefore, LapsesAt: t.Lapses,
		Approver: optional(t.Approver), ApproverName: names.of(t.Approver),
		ApprovedAt:       moment(t.Approved),
		ApprovalLapsesAt: moment(t.Until), BegunAt: moment(t.Begun), DoneAt: moment(t.Done),
	}
}
