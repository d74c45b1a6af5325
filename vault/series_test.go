package vault_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
)

// TestSeriesByHand: whoever changes in the database which series a document is of, and may act in that one, gets at
// nothing of the document that is sealed, and erases nothing. The alarm is on record.
func TestSeriesByHand(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, act := range map[string]func(*lifeRig, access.Who, vault.Deposited) error{
		"read": func(l *lifeRig, who access.Who, doc vault.Deposited) error {
			c, err := l.vault.Read(ctx, who, doc.ID, vault.ReadRequest{Purpose: "theft"})
			if err == nil {
				_ = c.Close()
			}
			return err
		},
		"describe": func(l *lifeRig, who access.Who, doc vault.Deposited) error {
			_, err := l.vault.Describe(ctx, who, doc.ID)
			return err
		},
		"evidence": func(l *lifeRig, who access.Who, doc vault.Deposited) error {
			_, err := l.vault.Evidence(ctx, who, doc.ID, true)
			return err
		},
		"list": func(l *lifeRig, who access.Who, _ vault.Deposited) error {
			page, err := l.vault.List(ctx, who, vault.Query{})
			for _, d := range page.Documents {
				if d.Title != "" || d.ContentSHA256 != nil || !d.Withheld {
					t.Errorf("listed %+v", d)
				}
			}
			return errors.Join(err, vault.ErrDamagedContent) // a listing leaves out what it cannot open
		},
		"erase": func(l *lifeRig, who access.Who, doc vault.Deposited) error {
			_, err := l.vault.Erase(ctx, who, doc.ID, vault.EraseRequest{Authority: "order-1"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLifeRig(t, localHouse(t))
			l.series("a")
			l.series("b")
			doc := l.deposit(vault.Deposit{Series: "b", Title: "T"}, []byte("secret of b"))
			who := l.principal(access.Grant{Role: access.ReaderRole, Series: "a"},
				access.Grant{Role: access.RecordsOfficer, Series: "a"})
			if err := act(l, who, doc); name != "list" && !errors.Is(err, vault.ErrNotFound) {
				t.Errorf("before anything was changed: %v", err)
			}
			l.refile(doc.ID, "b", "a")
			l.wants("afterwards", act(l, who, doc), vault.ErrDamagedContent)
			if alarm, n := l.last("object.damaged/1"); n != 1 || alarm.Doc != doc.ID {
				t.Errorf("%d alarms on record: %s", n, alarm.Body)
			}
			if n := l.count("document.erased/1"); n != 0 {
				t.Error("it was erased")
			}
		})
	}
}

// refile changes behind the journal's back which series a document is of: its row, and where the index has it.
func (r *rig) refile(id journal.ID, from, to string) {
	r.t.Helper()
	r.rewrite(documentRows, id[:], func(row map[string]any) {
		if row["s"] != from {
			r.t.Fatalf("the document is of series %v", row["s"])
		}
		row["s"] = to
	})
	index := journal.Table{Kind: journal.Projection, Name: "documents.by_series"}
	r.tamper(func(tx journal.Txn) error {
		var was []byte
		err := tx.Scan(index, journal.Range{}, func(key, value []byte) error {
			if bytes.Equal(value, id[:]) {
				was = bytes.Clone(key)
			}
			return nil
		})
		now := bytes.Replace(was, []byte("\x00"+from+"\x00"), []byte("\x00"+to+"\x00"), 1)
		return errors.Join(err, tx.Delete(index, was), tx.Put(index, now, id[:]))
	})
}
