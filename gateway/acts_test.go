package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal/journaltest"
	"muniment/openapi"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/objects/objectstest"
)

// outages are the ways in which no locked checkpoint can be written.
func outages() map[string]func(r *rig, down bool) {
	return map[string]func(*rig, bool){
		"the signer is down": func(r *rig, down bool) { r.signer.down.Store(down) },
		"the release bucket is down": func(r *rig, down bool) {
			r.bucket.Inject(nil)
			if down {
				r.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
			}
		},
		"the documents' store refuses locks": func(r *rig, down bool) {
			r.locked.Disarm()
			if down {
				r.locked.Arm(objectstest.Fault{Op: objectstest.Put, Times: -1, Err: errors.New("no lock is taken")})
			}
		},
	}
}

// TestActsOfAuthority: while no locked checkpoint can cover an act of authority, its answer is 202, with the same body,
// and it is in force; a trim does not start. When one can again, the answer is 200 or 201.
func TestActsOfAuthority(t *testing.T) {
	t.Parallel()
	for name, switched := range outages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigWaiting(t, 100*time.Millisecond)
			r.found()
			custodian := r.principal(access.Grant{Role: access.KeyCustodian})
			wants(t, "rotating", r.call(http.MethodPost, "/v1/keys/rotations", "", custodian), 200, "")
			wants(t, "rewrapping", r.call(http.MethodPost, "/v1/keys/rewraps", "", custodian), 202, "")
			r.awaitRewrap(custodian)
			r.recordBackup()
			gone, goneKey := r.person("Gone", access.Grant{Role: access.Auditor})
			keysOf := "/v1/principals/" + gone + "/keys"

			switched(r, true)
			added := r.widened(http.StatusAccepted)
			a := r.call(http.MethodDelete, keysOf, "", r.administrator)
			wants(t, "revoking", a, 202, "")
			if !strings.Contains(string(a.body), `"revoked":1`) || a.header.Get("Retry-After") != "" {
				t.Errorf("revoking: %v %s", a.header, a.body)
			}
			wants(t, "using a revoked key", r.call(http.MethodGet, "/v1/keys", "", goneKey), 401, "unauthenticated")
			a = r.call(http.MethodPost, "/v1/keys/trims", "{}", custodian)
			wants(t, "proposing", a, 202, "")
			var trim openapi.Trim
			a.json(t, &trim)
			at := "/v1/keys/trims/" + trim.ID
			a = r.call(http.MethodPost, at+"/approval", "", added)
			wants(t, "approving", a, 202, "")
			if a.json(t, &trim); trim.State != openapi.TrimStateApproved {
				t.Errorf("the trim is %+v", trim)
			}
			a = r.call(http.MethodPost, at+"/execution", "", custodian)
			wants(t, "carrying out", a, 503, "trim-not-started")
			if v := r.versions(); v.Kept != 1 || a.header.Get("Retry-After") == "" {
				t.Errorf("the key service has %+v, and the answer is %v %s", v, a.header, a.body)
			}

			switched(r, false)
			r.until("revoking again", http.StatusOK, func() answer {
				return r.call(http.MethodDelete, keysOf, "", r.administrator)
			})
			r.until("approving again", http.StatusOK, func() answer {
				return r.call(http.MethodPost, at+"/approval", "", added)
			})
			r.until("creating", http.StatusCreated, func() answer {
				return r.call(http.MethodPost, "/v1/principals", newAuditor, r.administrator)
			})
			a = r.until("carrying out", http.StatusOK, func() answer {
				return r.call(http.MethodPost, at+"/execution", "", custodian)
			})
			if a.json(t, &trim); trim.State != openapi.TrimStateDone || r.versions().Kept != 2 {
				t.Errorf("the key service has %+v, and the trim is %+v", r.versions(), trim)
			}
		})
	}
}

// newAuditor creates an auditor.
const newAuditor = `{"name":"An Auditor","grants":[{"role":"auditor"}]}`

// widened makes an approver, step by step: each is answered with that status, or 200 in the place of 201, and is in
// force. It returns the approver's token.
func (r *rig) widened(status int) string {
	r.t.Helper()
	const second = `{"name":"A Second","grants":[{"role":"approver"}]}`
	a := r.call(http.MethodPost, "/v1/principals", second, r.administrator)
	wants(r.t, "creating", a, status, "")
	var created openapi.CreatedPrincipal
	if a.json(r.t, &created); created.Code == nil || created.Proposal == nil || created.Proposal.ID == nil {
		r.t.Fatalf("the answer is %s", a.body)
	}
	a = r.call(http.MethodPost, "/v1/principals/"+created.ID+"/codes", "", r.administrator)
	wants(r.t, "issuing a code", a, status, "")
	var issued openapi.OneTimeCode
	a.json(r.t, &issued)
	a = r.call(http.MethodPost, "/v1/claims", asText(openapi.NewClaim{Code: issued.Code}), "")
	wants(r.t, "claiming", a, status, "")
	var claimed openapi.Claim
	a.json(r.t, &claimed)
	wants(r.t, "using an unapproved key", r.call(http.MethodGet, "/v1/keys", "", claimed.Key), 401, "key-unapproved")
	if a = r.approve(*created.Proposal.ID); a.status != status && (a.status != 200 || status != 201) {
		r.t.Errorf("approving: %d %s", a.status, a.body)
	}
	wants(r.t, "using a key", r.call(http.MethodGet, "/v1/keys", "", claimed.Key), 200, "")
	return claimed.Key
}

// created makes a principal on trial, which must be answered with that status.
func (r *rig) created(status int) {
	r.t.Helper()
	a := r.call(http.MethodPost, "/v1/principals", newAuditor, r.token)
	wants(r.t, "creating", a, status, "")
	var out openapi.CreatedPrincipal
	if a.json(r.t, &out); out.Key == nil || len(out.Grants) != 1 {
		r.t.Fatalf("the answer is %s", a.body)
	}
}

// versions are those of the default tenant's key that there are in the key service.
func (r *rig) versions() keys.Versions {
	r.t.Helper()
	service := keys.ForJournal(r.keys.Service, r.journal.ID())
	return journaltest.Must(service.Versions(context.Background(), r.who.Tenant))
}

// until repeats a call until it is answered with that status.
func (r *rig) until(what string, status int, call func() answer) answer {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		a := call()
		if a.status == status {
			return a
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: %d %s, want %d", what, a.status, a.body, status)
		}
	}
}

// TestReadinessTellsOfTheLockedCheckpoint: what cannot be kept under a lock is told of, and needed for no request.
func TestReadinessTellsOfTheLockedCheckpoint(t *testing.T) {
	t.Parallel()
	r, clock := newClockedRig(t)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=true needed=false")
	r.created(http.StatusCreated)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=true needed=false", "the newest is of", "locked until")
	r.locked.Arm(objectstest.Fault{Op: objectstest.Put, Times: -1, Err: errors.New("no lock is taken")})
	r.created(http.StatusAccepted)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=false needed=false", "no lock is taken",
		"→ see that the documents' store takes objects under a lock")
	r.locked.Disarm()
	r.created(http.StatusCreated)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=true needed=false", "the newest is of")
	clock.Advance(36 * 24 * time.Hour)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=false needed=false", "its lock has run out")
}
