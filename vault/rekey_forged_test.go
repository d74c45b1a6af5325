package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/rekey"
)

// The rows that decide about a trim.
var (
	trimRows = journal.Table{Kind: journal.Projection, Name: "trims"}
	keyRows  = journal.Table{Kind: journal.Projection, Name: "keys"}
)

// rewrite changes fields of a row behind the journal's back.
func (r *rig) rewrite(t journal.Table, key []byte, change func(row map[string]any)) {
	r.t.Helper()
	r.tamper(func(tx journal.Txn) error {
		raw, err := tx.Get(t, key)
		if err != nil {
			return err
		}
		var row map[string]any
		if err := json.Unmarshal(raw, &row); err != nil {
			return err
		}
		change(row)
		if raw, err = json.Marshal(row); err != nil {
			return err
		}
		return tx.Put(t, key, raw)
	})
}

func (l *lifeRig) trimKey(id journal.ID) []byte { return append(append([]byte(l.tenant), 0), id[:]...) }

// row reads a row behind the journal's back.
func (r *rig) row(t journal.Table, key []byte) (row map[string]any) {
	r.t.Helper()
	r.rewrite(t, key, func(found map[string]any) { row = found })
	return row
}

// approvedByHand makes a trim's row say that it was approved, and that its waiting period is over.
func (l *lifeRig) approvedByHand(row map[string]any) {
	now := l.clock.Now().UTC()
	row["approver"], row["approved"] = l.approver.Actor().ID, now
	row["until"], row["from"] = now.Add(24*time.Hour), now.Add(-31*24*time.Hour)
	row["not_before"] = now.Add(-time.Hour)
}

// TestTrimByHand: a trim whose row somebody has written to the database is none. A key custodian who can do that
// destroys nothing alone or early, nor more than was approved, and the attempt is on record.
func TestTrimByHand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		ready bool // the trim was approved and its waiting period is over
		table journal.Table
		forge func(l *lifeRig, row map[string]any)
	}{
		{"approved", false, trimRows, (*lifeRig).approvedByHand},
		{"begun", false, trimRows, func(l *lifeRig, row map[string]any) { row["begun"] = l.clock.Now().UTC() }},
		{"begun by an event of another kind", false, trimRows, func(l *lifeRig, row map[string]any) {
			row["begun"], row["beginning"] = l.clock.Now().UTC(), row["index"]
		}},
		{"approved by an event that is not there", false, trimRows, func(l *lifeRig, row map[string]any) {
			l.approvedByHand(row)
			row["approval"] = l.journal.Size() + 1000
		}},
		{"waiting since earlier", true, trimRows, func(l *lifeRig, row map[string]any) {
			row["from"] = l.clock.Now().Add(-31 * 24 * time.Hour).UTC()
		}},
		{"more versions", true, trimRows, func(_ *lifeRig, row map[string]any) { row["oldest"] = 3 }},
		{"done", true, trimRows, func(l *lifeRig, row map[string]any) { row["done"] = l.clock.Now().UTC() }},
		{"a backup", true, keyRows, func(l *lifeRig, row map[string]any) { row["backup"] = l.journal.Size() }},
		{"a rewrap", true, keyRows, func(_ *lifeRig, row map[string]any) { row["rewrapped"] = 3 }},
		{"a rewrap that ended earlier", true, keyRows, func(_ *lifeRig, row map[string]any) { row["complete"] = 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			l := newLifeRig(t, localHouse(t))
			trim := l.proposed()
			if test.ready {
				_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
				l.must(err)
				l.clock.Advance(trimWait)
			}
			key := l.trimKey(trim.ID)
			if test.table == keyRows {
				key = []byte(l.tenant)
			}
			before := l.row(test.table, key)
			l.rewrite(test.table, key, func(row map[string]any) { test.forge(l, row) })
			_, err := l.life.RunTrim(ctx, l.custodian, trim.ID)
			l.wants("running it", err, access.ErrForged)
			if test.table == trimRows {
				_, err = l.life.ApproveTrim(ctx, l.founders.Approver.Who, trim.ID)
				l.wants("approving it", err, access.ErrForged)
				if status, err := l.life.Status(ctx, l.custodian); err != nil || len(status.Trims) != 0 {
					t.Errorf("it is shown: %+v, error %v", status.Trims, err)
				}
			}
			if v, err := l.service.Versions(ctx, l.tenant); err != nil || v.Kept != 1 {
				t.Errorf("the key service has versions %+v, error %v: something was destroyed", v, err)
			}
			l.must(l.cfg.Door.Authority().RecordContradictions(ctx))
			rec, err := l.journal.Record(ctx, l.journal.Size()-1)
			if err != nil || rec.Type != string(access.Contradicted) || l.count("key.trim_begun/1") != 0 {
				t.Errorf("last on record is %s, error %v; want the contradiction, and no beginning", rec.Type, err)
			}
			l.rewrite(test.table, key, func(row map[string]any) {
				clear(row)
				for name, value := range before {
					row[name] = value
				}
			})
			if test.ready { // what the events say goes on
				l.runTrim(trim.ID)
			}
		})
	}
}

// TestTrimOfAnothersEvents: the events of one trim prove nothing about another.
func TestTrimOfAnothersEvents(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	first := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, first.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	second := l.proposed()
	was := l.row(trimRows, l.trimKey(first.ID))
	for _, whole := range []bool{true, false} { // all of the row, or its approval
		l.rewrite(trimRows, l.trimKey(second.ID), func(row map[string]any) {
			for name, value := range was {
				if _, there := row[name]; whole || !there {
					row[name] = value
				}
			}
		})
		_, err = l.life.RunTrim(ctx, l.custodian, second.ID)
		l.wants("running a trim by another's events", err, access.ErrForged)
	}
	if v, err := l.service.Versions(ctx, l.tenant); err != nil || v.Kept != 1 {
		t.Errorf("the key service has versions %+v, error %v", v, err)
	}
}

// TestTrimChangedOnTheWay: what a trim destroys is proved once more when its beginning is on record and kept outside.
func TestTrimChangedOnTheWay(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	trim := l.proposed()
	_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	l.cfg.Door.KeepWith(keeping(func() {
		l.rewrite(trimRows, l.trimKey(trim.ID), func(row map[string]any) { row["oldest"] = 3 })
	}))
	_, err = l.life.RunTrim(ctx, l.custodian, trim.ID)
	l.wants("running a trim whose row is changed after it has begun", err, access.ErrForged)
	if v, err := l.service.Versions(ctx, l.tenant); err != nil || v.Kept != 1 || l.count("key.trim_begun/1") != 1 {
		t.Errorf("the key service has versions %+v, error %v", v, err)
	}
}

// TestTrimSparesWhatATableGivesAway: a document that a table calls another tenant's is left out by the rewrap, and
// keeps the trim from beginning.
func TestTrimSparesWhatATableGivesAway(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	bound := journal.Table{Kind: journal.Projection, Name: "journal.bound"}
	for name, hide := range map[string]func(l *lifeRig, id journal.ID){
		"the document's row": func(l *lifeRig, id journal.ID) {
			l.rewrite(documentRows, id[:], func(row map[string]any) { row["t"] = "another" })
		},
		"and what binds its sealed row": func(l *lifeRig, id journal.ID) {
			l.rewrite(documentRows, id[:], func(row map[string]any) { row["t"] = "another" })
			l.tamper(func(tx journal.Txn) error { return tx.Put(bound, rowKey(id), make([]byte, 8)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLifeRig(t, localHouse(t))
			doc := l.deposit(vault.Deposit{}, []byte("kept"))
			hide(l, doc.ID)
			trim := l.proposed()
			_, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
			l.must(err)
			l.clock.Advance(trimWait)
			if _, err = l.life.RunTrim(ctx, l.custodian, trim.ID); !errors.Is(err, rekey.ErrNotRewrapped) &&
				!errors.Is(err, journal.ErrDamaged) {
				t.Errorf("running: %v", err)
			}
			if v, err := l.service.Versions(ctx, l.tenant); err != nil || v.Kept != 1 {
				t.Errorf("the key service has versions %+v, error %v", v, err)
			}
			l.rewrite(documentRows, doc.ID[:], func(row map[string]any) { row["t"] = l.tenant })
			if got, err := l.read(doc.ID); err != nil || string(got) != "kept" {
				t.Errorf("the document reads as %q, error %v", got, err)
			}
		})
	}
}

// keeping is a keeper that does something else before it says that all is kept.
type keeping func()

func (k keeping) Keep(context.Context, uint64) error { k(); return nil }
