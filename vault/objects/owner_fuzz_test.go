package objects_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"muniment/anchor/journal/journaltest"
	"muniment/vault/objects"
)

// oneObject is a store with one object in memory.
type oneObject struct {
	objects.Store
	content []byte
}

// Get gives the object.
func (o oneObject) Get(context.Context, string, string, *objects.Span) (io.ReadCloser, objects.Info, error) {
	return io.NopCloser(bytes.NewReader(o.content)), objects.Info{Size: int64(len(o.content))}, nil
}

// FuzzOwner: whatever stands in an owner object, it is damaged, of a newer program, or names one journal, and only the
// journal that it names is not refused.
func FuzzOwner(f *testing.F) {
	f.Add([]byte(`{"v":1,"journal":"01890a5d-ac96-774b-bcce-b302099a8057","at":"2026-11-28T10:00:00Z"}`))
	f.Add([]byte(`{"v":2,"journal":"01890a5d-ac96-774b-bcce-b302099a8058"}`))
	f.Add([]byte(`{"v":1,"journal":"00000000-0000-0000-0000-000000000000"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		store := oneObject{content: raw}
		o, there, err := objects.ReadOwner(t.Context(), store, objects.ReleaseOwner)
		if err == nil && (!there || o.Journal.IsZero() || !json.Valid(raw)) {
			t.Errorf("%q reads %+v, %t", raw, o, there)
		}
		_, checked := objects.CheckOwner(t.Context(), store, objects.ReleaseOwner, journaltest.ID)
		if mine := err == nil && o.Journal == journaltest.ID; mine != (checked == nil) {
			t.Errorf("%q names %s, and is taken: %v", raw, o.Journal, checked)
		}
		if err == nil && o.Journal != journaltest.ID && !errors.Is(checked, objects.ErrOwned) {
			t.Errorf("%q is another's, and the check says %v", raw, checked)
		}
	})
}
