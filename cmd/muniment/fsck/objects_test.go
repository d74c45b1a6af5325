package fsck

import (
	"context"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/cmd/muniment/node"
	"muniment/vault"
)

// The objects of erased documents are not missed.
func TestErasedObjectsAreNotMissed(t *testing.T) {
	t.Parallel()
	kit := journaltest.NewKit(t)
	j := kit.Open(t, node.Definitions()...)
	kept, erased := journal.ID{6: 0x70, 8: 0x80, 15: 1}, journal.ID{6: 0x70, 8: 0x80, 15: 2}
	commit := func(event journal.Event, rows ...journal.Row) {
		t.Helper()
		_, err := j.Commit(t.Context(), journal.Actor{Tenant: "default", ID: "test"},
			func(journal.View) (journal.Change, error) {
				return journal.Change{Events: []journal.Event{event}, Sealed: rows}, nil
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []journal.ID{kept, erased} {
		data := vault.DocumentDepositedData{Object: vault.StoredObject{Key: "default/" + id.String(), Version: "1"}}
		commit(vault.DocumentDeposited.New(id, data),
			journal.Row{Key: append([]byte{'d'}, id[:]...), Value: []byte("sealed")})
	}
	commit(vault.DocumentErased.New(erased, vault.DocumentErasedData{Authority: "order-1", KeyVersion: 1}),
		journal.Row{Key: append([]byte{'d'}, erased[:]...)})
	found, _, err := StoredObjects(t.Context(), viewer{j: j}, nil)
	if err != nil || len(found) != 1 || found[0].Document != kept {
		t.Errorf("to be looked for: %+v, error %v, want the one that is kept", found, err)
	}
}

// viewer is the part of a backend that can be had of an open journal.
type viewer struct {
	journal.Backend
	j *journal.Journal
}

func (v viewer) View(ctx context.Context, fn func(journal.Reader) error) error {
	return v.j.View(ctx, fn)
}
