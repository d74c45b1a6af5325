package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/seal"
)

// tamper changes rows behind the journal's back.
func (r *rig) tamper(change func(journal.Txn) error) {
	r.t.Helper()
	if err := r.backend.Update(context.Background(), change); err != nil {
		r.t.Fatal(err)
	}
}

// The tables that are tampered with.
var (
	sealedRows   = journal.Table{Kind: journal.Sealed, Name: "row"}
	documentRows = journal.Table{Kind: journal.Projection, Name: "documents"}
)

func rowKey(id journal.ID) []byte { return append([]byte{'d'}, id[:]...) }

// A sealed row that is damaged, missing or another document's raises the alarm, is never opened, and spoils no listing.
func TestSealedRowDamaged(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(x journal.Txn, id, other journal.ID) error{
		"exchanged": func(x journal.Txn, id, other journal.ID) error {
			row, err := x.Get(sealedRows, rowKey(other))
			return errors.Join(err, x.Put(sealedRows, rowKey(id), row))
		},
		"flipped": func(x journal.Txn, id, _ journal.ID) error {
			row, err := x.Get(sealedRows, rowKey(id))
			row = bytes.Clone(row)
			row[len(row)-1] ^= 1
			return errors.Join(err, x.Put(sealedRows, rowKey(id), row))
		},
		"wrapped key flipped": func(x journal.Txn, id, _ journal.ID) error {
			row, err := x.Get(sealedRows, rowKey(id))
			row = bytes.Clone(row)
			row[60] ^= 1
			return errors.Join(err, x.Put(sealedRows, rowKey(id), row))
		},
		"missing": func(x journal.Txn, id, _ journal.ID) error { return x.Delete(sealedRows, rowKey(id)) },
	} {
		ctx := context.Background()
		for act, call := range map[string]func(*rig, journal.ID) error{
			"read":     func(r *rig, id journal.ID) error { _, err := r.read(id); return err },
			"describe": func(r *rig, id journal.ID) error { _, err := r.vault.Describe(ctx, r.who, id); return err },
			"evidence": func(r *rig, id journal.ID) error {
				_, err := r.vault.Evidence(ctx, r.who, id, true)
				return err
			},
			"list": func(r *rig, id journal.ID) error {
				page, err := r.vault.List(ctx, r.who, vault.Query{})
				if err != nil {
					return err
				}
				for _, d := range page.Documents {
					if d.Withheld != (d.ID == id) || (d.Title == "") != (d.ID == id) {
						t.Errorf("%s: listed %+v", name, d)
					}
				}
				if len(page.Documents) != 3 {
					t.Errorf("%s: listed %d documents", name, len(page.Documents))
				}
				return vault.ErrDamagedContent
			},
		} {
			r := newRig(t)
			r.deposit(vault.Deposit{Title: "before"}, []byte("before"))
			id := r.deposit(vault.Deposit{Title: "T"}, []byte("content")).ID
			other := r.deposit(vault.Deposit{Title: "O"}, []byte("other")).ID
			r.tamper(func(x journal.Txn) error { return spoil(x, id, other) })
			for range 2 {
				if err := call(r, id); !errors.Is(err, vault.ErrDamagedContent) {
					t.Errorf("%s, %s: got error %v", name, act, err)
				}
			}
			alarm, n := r.last("object.damaged/1")
			var found vault.ObjectDamagedData
			if err := json.Unmarshal(alarm.Data, &found); err != nil || n != 1 || alarm.Doc != id ||
				found.Found != "row" {
				t.Errorf("%s, %s: %d alarms on record, %s", name, act, n, alarm.Body)
			}
		}
	}
}

// A row that a newer program wrote is no damage; it spoils no listing either.
func TestSealedRowNewer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.deposit(vault.Deposit{Title: "T"}, []byte("content")).ID
	r.deposit(vault.Deposit{Title: "O"}, []byte("other"))
	r.tamper(func(x journal.Txn) error {
		row, err := x.Get(sealedRows, rowKey(id))
		row = bytes.Clone(row)
		row[3]++ // the format
		return errors.Join(err, x.Put(sealedRows, rowKey(id), row))
	})
	page, err := r.vault.List(context.Background(), r.who, vault.Query{})
	if err != nil || len(page.Documents) != 2 || !page.Documents[0].Withheld || page.Documents[1].Title != "O" {
		t.Errorf("listed %+v, error %v", page.Documents, err)
	}
	if _, err := r.vault.Describe(context.Background(), r.who, id); !errors.Is(err, seal.ErrNewer) ||
		errors.Is(err, vault.ErrDamagedContent) {
		t.Errorf("described: %v", err)
	}
	if n := r.count("object.damaged/1"); n != 0 {
		t.Errorf("%d alarms", n)
	}
}

// Rows of one tenant that an altered table calls another's are listed to nobody.
func TestListRefusesForeignRows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.deposit(vault.Deposit{Title: "T"}, []byte("content")).ID
	r.tamper(func(x journal.Txn) error {
		row, err := x.Get(documentRows, id[:])
		altered := bytes.Replace(row, []byte(`"t":"default"`), []byte(`"t":"other"`), 1)
		if bytes.Equal(altered, row) {
			return errors.New("nothing was altered")
		}
		return errors.Join(err, x.Put(documentRows, id[:], altered))
	})
	before := r.journal.Size()
	if page, err := r.vault.List(context.Background(), r.who, vault.Query{}); !errors.Is(err, journal.ErrDamaged) ||
		len(page.Documents) > 0 {
		t.Errorf("listed %d documents, error %v", len(page.Documents), err)
	}
	if r.journal.Size() != before {
		t.Error("something was recorded as listed")
	}
}

// The content's digest goes to those only to whom it may be disclosed.
func TestDigestDisclosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("a")
	id := r.deposit(vault.Deposit{ExternalID: "EXT"}, []byte("content")).ID
	ctx := context.Background()
	for _, test := range []struct {
		name   string
		grants []access.Grant
		want   bool
	}{
		{"approver", []access.Grant{{Role: access.Approver}}, false},
		{"approver, and reader of another series",
			[]access.Grant{{Role: access.Approver}, {Role: access.ReaderRole, Series: "a"}}, false},
		{"reader", []access.Grant{{Role: access.ReaderRole}}, true},
		{"reader of the series", []access.Grant{{Role: access.ReaderRole, Series: "default"}}, true},
	} {
		who := r.principal(test.grants...)
		described, err := r.vault.Describe(ctx, who, id)
		if err != nil {
			t.Fatal(err)
		}
		found, err := r.vault.Find(ctx, who, "", "EXT")
		if err != nil {
			t.Fatal(err)
		}
		page, err := r.vault.List(ctx, who, vault.Query{})
		if err != nil || len(page.Documents) != 1 {
			t.Fatalf("%s: listed %d documents, error %v", test.name, len(page.Documents), err)
		}
		for _, doc := range []vault.Document{described, found, page.Documents[0]} {
			if (doc.ContentSHA256 != nil) != test.want || doc.ExternalID != "EXT" {
				t.Errorf("%s: %+v, want the digest: %v", test.name, doc, test.want)
			}
		}
	}
}
