package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"muniment/openapi"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// call sends JSON with a token.
func (r *rig) call(method, target, body, token string) answer {
	r.t.Helper()
	return r.do(method, target, strings.NewReader(body), as(token), with("Content-Type", "application/json"))
}

// wants fails the test unless an answer has the status and, of a problem, the code.
func wants(t testing.TB, what string, a answer, status int, code string) {
	t.Helper()
	if a.status != status || a.problem() != code {
		t.Errorf("%s: %d %s, want %d %q", what, a.status, a.body, status, code)
	}
}

// awaitRewrap follows a rewrap to its end.
func (r *rig) awaitRewrap(token string) openapi.KeyStatus {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		var status openapi.KeyStatus
		r.call(http.MethodGet, "/v1/keys", "", token).json(r.t, &status)
		if status.Rewrap == nil || status.Rewrap.State != openapi.RewrapStateRunning {
			return status
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the rewrap does not end: %+v", status.Rewrap)
		}
		<-time.After(time.Millisecond)
	}
}

// TestKeyLife leads a key from its rotation to its trim over HTTP; every answer is held against the contract.
func TestKeyLife(t *testing.T) {
	t.Parallel()
	r := newFoundedRig(t)
	doc := r.deposit([]byte("kept"))
	custodian := r.principal(access.Grant{Role: access.KeyCustodian})
	second := r.principal(access.Grant{Role: access.KeyCustodian})
	approver := r.approver

	wants(t, "rotating as an administrator", r.call(http.MethodPost, "/v1/keys/rotations", "", r.administrator), 403,
		"denied")
	a := r.call(http.MethodPost, "/v1/keys/rotations", "", custodian)
	var rotation openapi.Rotation
	if a.json(t, &rotation); a.status != http.StatusOK || rotation.Version != 2 || !rotation.Recorded {
		t.Errorf("rotating: %d %s", a.status, a.body)
	}
	wants(t, "proposing early", r.call(http.MethodPost, "/v1/keys/trims", "{}", custodian), 409, "not-rewrapped")
	wants(t, "proposing too much", r.call(http.MethodPost, "/v1/keys/trims", `{"oldest":3}`, custodian), 422,
		"bad-metadata")
	wants(t, "proposing nonsense", r.call(http.MethodPost, "/v1/keys/trims", `{"newest":3}`, custodian), 400,
		"bad-request")
	wants(t, "rewrapping", r.call(http.MethodPost, "/v1/keys/rewraps", "", custodian), 202, "")
	status := r.awaitRewrap(custodian)
	if w := status.Rewrap; w.State != openapi.RewrapStateDone || w.Rewrapped < 2 || w.EndedAt == nil ||
		status.Rewrapped != 2 || status.BackupCovers {
		t.Errorf("after the rewrap: %+v, %+v", status, w)
	}
	wants(t, "proposing without a backup", r.call(http.MethodPost, "/v1/keys/trims", "{}", custodian), 409,
		"backup-missing")
	r.recordBackup()
	a = r.call(http.MethodPost, "/v1/keys/trims", "{}", custodian)
	wants(t, "proposing", a, 201, "")
	var trim openapi.Trim
	a.json(t, &trim)
	at := "/v1/keys/trims/" + trim.ID
	wants(t, "running unapproved", r.call(http.MethodPost, at+"/execution", "", custodian), 409, "unapproved")
	wants(t, "approving one's own", r.call(http.MethodPost, at+"/approval", "", custodian), 403, "denied")
	wants(t, "approving what is not there", r.call(http.MethodPost, "/v1/keys/trims/x/approval", "", approver), 404,
		"not-found")
	wants(t, "approving as another custodian", r.call(http.MethodPost, at+"/approval", "", second), 403, "denied")
	wants(t, "approving", r.call(http.MethodPost, at+"/approval", "", approver), 200, "")
	wants(t, "running what one has approved", r.call(http.MethodPost, at+"/execution", "", approver), 403, "denied")
	a = r.call(http.MethodPost, at+"/execution", "", second)
	if a.json(t, &trim); a.status != http.StatusOK || trim.State != openapi.TrimStateDone || trim.DoneAt == nil ||
		trim.Approver == nil {
		t.Errorf("running: %d %s", a.status, a.body)
	}
	r.call(http.MethodGet, "/v1/keys", "", approver).json(t, &status)
	if v := status.InService; status.Custody != openapi.Gateway || status.Oldest != 2 || v == nil || v.Kept != 2 ||
		len(status.Trims) != 1 {
		t.Errorf("after the trim: %+v, in service %+v", status, v)
	}
	if a := r.do(http.MethodGet, "/v1/documents/"+doc.ID+"/content", nil,
		with("Muniment-Purpose", "audit")); string(a.body) != "kept" {
		t.Errorf("after the trim the document reads as %d %s", a.status, a.body)
	}
}

// recordBackup puts on record that all that there is has been backed up.
func (r *rig) recordBackup() openapi.Backup {
	r.t.Helper()
	size := r.journal.Size()
	root, err := r.journal.RootAt(r.t.Context(), size)
	if err != nil {
		r.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"size":%d,"root":%q,"label":"offsite"}`, size, root)
	token := r.token
	if r.administrator != "" {
		token = r.administrator
	}
	a := r.call(http.MethodPost, "/v1/backups", body, token)
	wants(r.t, "recording a backup", a, 201, "")
	var out openapi.Backup
	a.json(r.t, &out)
	return out
}

func TestBackups(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	depositor := r.principal(access.Grant{Role: access.Depositor})
	recorded := r.recordBackup()
	for what, c := range map[string]struct {
		body, token string
		status      int
		code        string
	}{
		"another's journal": {fmt.Sprintf(`{"size":%d,"root":%q}`, recorded.Size+1, recorded.Root), r.token, 409,
			"foreign-backup"},
		"a path": {fmt.Sprintf(`{"size":%d,"root":%q,"label":"/srv"}`, recorded.Size, recorded.Root),
			r.token, 422, "bad-metadata"},
		"no root": {`{"size":1,"root":"x"}`, r.token, 400, "bad-request"},
		"no permission": {fmt.Sprintf(`{"size":%d,"root":%q}`, recorded.Size, recorded.Root), depositor, 403,
			"denied"},
	} {
		wants(t, what, r.call(http.MethodPost, "/v1/backups", c.body, c.token), c.status, c.code)
	}
	var list openapi.BackupList
	r.do(http.MethodGet, "/v1/backups?limit=10", nil).json(t, &list)
	if len(list.Backups) != 1 || list.Backups[0].Index != recorded.Index || list.Backups[0].Root != recorded.Root {
		t.Errorf("the backups are %+v, want %+v", list.Backups, recorded)
	}
	r.do(http.MethodGet, fmt.Sprintf("/v1/backups?before=%d", recorded.Index), nil).json(t, &list)
	if len(list.Backups) != 0 {
		t.Errorf("before the first: %+v", list.Backups)
	}
}

func (f *faultyKeys) Versions(ctx context.Context, tenant string) (keys.Versions, error) {
	if err := f.failure(ctx); err != nil {
		return keys.Versions{}, err
	}
	return f.Service.Versions(ctx, tenant)
}

// The state of the key is told while the key service is down.
func TestKeyStatusWithoutKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keys.fail(keys.ErrUnavailable)
	a := r.do(http.MethodGet, "/v1/keys", nil)
	var status openapi.KeyStatus
	if a.json(t, &status); a.status != http.StatusOK || status.InService != nil || status.Newest != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
