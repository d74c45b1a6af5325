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
			custodian := r.principal(access.Grant{Role: access.KeyCustodian})
			wants(t, "rotating", r.call(http.MethodPost, "/v1/keys/rotations", "", custodian), 200, "")
			wants(t, "rewrapping", r.call(http.MethodPost, "/v1/keys/rewraps", "", custodian), 202, "")
			r.awaitRewrap(custodian)
			r.recordBackup()
			const auditor, approver = `{"grants":[{"role":"auditor"}]}`, `{"grants":[{"role":"approver"}]}`
			gone := r.created(auditor, http.StatusCreated)
			keysOf := "/v1/principals/" + gone.ID + "/keys"

			switched(r, true)
			added := r.created(approver, http.StatusAccepted)
			wants(t, "using a key", r.call(http.MethodGet, "/v1/keys", "", added.Key), 200, "")
			a := r.call(http.MethodDelete, keysOf, "", r.token)
			wants(t, "revoking", a, 202, "")
			if !strings.Contains(string(a.body), `"revoked":1`) || a.header.Get("Retry-After") != "" {
				t.Errorf("revoking: %v %s", a.header, a.body)
			}
			wants(t, "using a revoked key", r.call(http.MethodGet, "/v1/keys", "", gone.Key), 401, "unauthenticated")
			a = r.call(http.MethodPost, "/v1/keys/trims", "{}", custodian)
			wants(t, "proposing", a, 202, "")
			var trim openapi.Trim
			a.json(t, &trim)
			at := "/v1/keys/trims/" + trim.ID
			a = r.call(http.MethodPost, at+"/approval", "", added.Key)
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
				return r.call(http.MethodDelete, keysOf, "", r.token)
			})
			r.until("approving again", http.StatusOK, func() answer {
				return r.call(http.MethodPost, at+"/approval", "", added.Key)
			})
			r.until("creating", http.StatusCreated, func() answer {
				return r.call(http.MethodPost, "/v1/principals", auditor, r.token)
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

// created makes a principal, which must be answered with that status.
func (r *rig) created(grants string, status int) (out openapi.Principal) {
	r.t.Helper()
	a := r.call(http.MethodPost, "/v1/principals", grants, r.token)
	wants(r.t, "creating", a, status, "")
	a.json(r.t, &out)
	if out.Key == "" || out.ID == "" || len(out.Grants) != 1 {
		r.t.Fatalf("the answer is %s", a.body)
	}
	return out
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
	r.created(`{"grants":[{"role":"auditor"}]}`, http.StatusCreated)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=true needed=false", "the newest is of", "locked until")
	r.locked.Arm(objectstest.Fault{Op: objectstest.Put, Times: -1, Err: errors.New("no lock is taken")})
	r.created(`{"grants":[{"role":"auditor"}]}`, http.StatusAccepted)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=false needed=false", "no lock is taken",
		"→ see that the documents' store takes objects under a lock")
	r.locked.Disarm()
	r.created(`{"grants":[{"role":"auditor"}]}`, http.StatusCreated)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=true needed=false", "the newest is of")
	clock.Advance(36 * 24 * time.Hour)
	r.want(clock, http.StatusOK, "locked checkpoint", "ok=false needed=false", "its lock has run out")
}
