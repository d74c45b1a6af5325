package gateway_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/openapi"
	"muniment/vault/access"
	"muniment/vault/rekey"
)

// began is when the tests did.
var began = time.Now()

// steppedClock is the machine's clock, put forward or back by a test.
type steppedClock struct{ by atomic.Int64 }

func (c *steppedClock) Now() time.Time { return time.Now().Round(0).Add(time.Duration(c.by.Load())) }

// Monotonic is how much time has passed, whatever the clock was put to.
func (c *steppedClock) Monotonic() time.Duration { return time.Since(began) }

func (c *steppedClock) step(by time.Duration) { c.by.Add(int64(by)) }

// proposedTrim puts a proposal on record that waits for 30 days.
func (r *rig) proposedTrim(custodian string) {
	r.t.Helper()
	id, err := journal.NewID(time.Now(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = r.journal.Commit(r.t.Context(), journal.Actor{Tenant: "default", ID: custodian},
		func(v journal.View) (journal.Change, error) {
			ends := v.Settled().Add(30 * 24 * time.Hour)
			return journal.Change{Events: []journal.Event{rekey.KeyTrimProposed.New(journal.ID{},
				rekey.KeyTrimProposedData{ID: id, Oldest: 2, NotBefore: ends, Lapses: ends.Add(time.Hour)})}}, nil
		})
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestSettledTime: over HTTP an approver sees what waits and which gap is open, and acknowledges it, and readiness,
// metrics and the key's status tell of it until then.
func TestSettledTime(t *testing.T) {
	t.Parallel()
	r := newFoundedRig(t)
	look := func(token string) (out openapi.TimeStatus) {
		t.Helper()
		r.call(http.MethodGet, "/v1/time", "", token).json(t, &out)
		return out
	}
	acknowledge := func(gap uint64, length, token string) answer {
		return r.call(http.MethodPost, "/v1/time/acknowledgements",
			asText(openapi.NewAcknowledgement{Gap: gap, Length: length}), token)
	}
	if s := look(r.approver); len(s.Gaps) != 0 || len(s.Waits) != 0 || s.Clock.Sub(s.Settled).Abs() > time.Minute {
		t.Errorf("while nothing waits the settled time is %+v", s)
	}
	id, custodian := r.person("Cara Custodian", access.Grant{Role: access.KeyCustodian})
	r.proposedTrim(id)
	r.clock.step(60 * time.Hour)
	r.deposit([]byte("on Monday"))
	s := look(custodian)
	if len(s.Gaps) != 1 || len(s.Waits) != 1 || s.Gaps[0].Kind != openapi.Step || s.Waits[0].What != "trim" ||
		s.Waits[0].Actor != id || s.Waits[0].ActorName != nil ||
		s.Waits[0].ClockEnds.Sub(s.Waits[0].Ends).Round(time.Hour) != 60*time.Hour {
		t.Fatalf("after a step the settled time is %+v", s)
	}
	if s := look(r.approver); s.Waits[0].ActorName == nil || *s.Waits[0].ActorName != "Cara Custodian" {
		t.Errorf("an approver sees %+v", s.Waits[0])
	}
	gap := s.Gaps[0]
	told := func() (caution, metric bool, status openapi.KeyStatus) {
		t.Helper()
		_, ready := r.ready("")
		for _, c := range ready.Cautions {
			caution = caution || c.Name == "settled time" && strings.Contains(c.Detail, gap.Length)
		}
		metric = !strings.Contains(r.admin("/metrics").Body.String(), "muniment_settled_unacknowledged_seconds 0\n")
		r.call(http.MethodGet, "/v1/keys", "", r.approver).json(t, &status)
		return caution, metric, status
	}
	caution, metric, status := told()
	if !caution || !metric || status.Unacknowledged == nil || *status.Unacknowledged != gap.Length ||
		len(status.Trims) != 1 || status.Trims[0].ClockNotBefore == nil {
		t.Errorf("told before the acknowledgement: caution %t, metric %t, %+v", caution, metric, status)
	}
	wants(t, "acknowledging as the custodian", acknowledge(gap.Index, gap.Length, custodian), 403, "denied")
	wants(t, "acknowledging as an administrator", acknowledge(gap.Index, gap.Length, r.administrator), 403, "denied")
	wants(t, "acknowledging another length", acknowledge(gap.Index, "61h0m0s", r.approver), 409, "no-gap")
	wants(t, "acknowledging nonsense", acknowledge(gap.Index, "a weekend", r.approver), 400, "bad-request")
	for range 2 { // the second time nothing is left to put on record
		a := acknowledge(gap.Index, gap.Length, r.approver)
		if a.json(t, &s); a.status != http.StatusOK || len(s.Gaps) != 0 || len(s.Waits) != 1 {
			t.Errorf("acknowledging: %d %s", a.status, a.body)
		}
	}
	if caution, metric, status = told(); caution || metric || status.Unacknowledged != nil {
		t.Errorf("told after the acknowledgement: caution %t, metric %t, %+v", caution, metric, status)
	}
	r.clock.step(24 * time.Hour)
	r.deposit([]byte("on a day that is not"))
	r.clock.step(-24 * time.Hour)
	gap = look(r.approver).Gaps[0]
	wants(t, "acknowledging what was taken back", acknowledge(gap.Index, gap.Length, r.approver), 409, "not-passed")
}
