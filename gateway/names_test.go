package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"muniment/openapi"
	"muniment/vault/access"
	"muniment/vault/keys"
)

// TestNames: who did something is told by name to who may see names, and to nobody else; and no name, code or key gets
// into the log or the journal's bodies.
func TestNames(t *testing.T) {
	t.Parallel()
	r := newFoundedRig(t)
	doc := r.deposit([]byte("a deed"), with("Content-Type", "text/plain"))
	id, reader := r.person("Robin Reader", access.Grant{Role: access.ReaderRole})
	r.do(http.MethodGet, "/v1/documents/"+doc.ID+"/content?purpose=audit", nil, as(reader))
	history, list := "/v1/documents/"+doc.ID+"/history", "/v1/documents"

	for what, target := range map[string]string{
		"the history": history, "the document": "/v1/documents/" + doc.ID, "the list": list,
		"the feed": "/v1/journal/entries?limit=500",
	} {
		if a := r.do(http.MethodGet, target, nil); !strings.Contains(string(a.body), `_name":"Wanda Worker"`) {
			t.Errorf("%s has no name for an auditor: %s", what, a.body)
		}
	}
	if a := r.do(http.MethodGet, history, nil); !strings.Contains(string(a.body), `"actor_name":"Robin Reader"`) {
		t.Errorf("the history does not name the reader: %s", a.body)
	}
	r.recordBackup()
	if a := r.do(http.MethodGet, "/v1/backups", nil); !strings.Contains(string(a.body), `"actor_name":"`+ada) {
		t.Errorf("the backups name nobody: %s", a.body)
	}
	for what, target := range map[string]string{
		"the history": history, "the document": "/v1/documents/" + doc.ID, "the list": list,
	} {
		a := r.do(http.MethodGet, target, nil, as(reader))
		if wants(t, what, a, 200, ""); strings.Contains(string(a.body), "_name\":\"Wanda") ||
			strings.Contains(string(a.body), "Robin") {
			t.Errorf("%s names people to a reader: %s", what, a.body)
		}
	}

	// Another name is shown at once, and the key service is not needed for what counts.
	name, other := "/v1/principals/"+id+"/name", `{"name":"R. R."}`
	wants(t, "renaming oneself", r.call(http.MethodPut, name, other, reader), 403, "denied")
	wants(t, "renaming", r.call(http.MethodPut, name, other, r.administrator), 200, "")
	a := r.do(http.MethodGet, history, nil)
	if said := string(a.body); !strings.Contains(said, `"actor_name":"R. R."`) || strings.Contains(said, "Robin") {
		t.Errorf("after another name: %s", said)
	}
	r.keys.fail(keys.ErrUnavailable)
	a = r.do(http.MethodGet, history, nil)
	if wants(t, "without the key service", a, 200, ""); strings.Contains(string(a.body), "R. R.") {
		t.Errorf("without the key service: %s", a.body)
	}
	r.keys.fail(nil)
	r.nothingOfPeople(reader)
}

// nothingOfPeople fails the test if the log, or a body of the journal, tells a name, a code or a key.
func (r *rig) nothingOfPeople(token string) {
	r.t.Helper()
	var bodies strings.Builder
	var page openapi.EntryPage
	r.do(http.MethodGet, "/v1/journal/entries?limit=500", nil).json(r.t, &page)
	for _, e := range page.Entries {
		bodies.WriteString(e.Body)
	}
	for where, said := range map[string]string{"the log": r.log.String(), "the journal": bodies.String()} {
		for _, secret := range []string{
			"Robin", "Wanda", "Ada", "R. R.", "mun_once_", token, r.administrator, r.approver, r.token,
		} {
			if strings.Contains(said, secret) {
				r.t.Errorf("%s tells %.8s…", where, secret)
			}
		}
	}
}
