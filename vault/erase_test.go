package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/objects"
)

// erase erases a document under an authority.
func (l *lifeRig) erase(id journal.ID, external bool) {
	l.t.Helper()
	_, err := l.vault.Erase(context.Background(), l.who, id,
		vault.EraseRequest{Authority: "order-7", ExternalID: external})
	l.must(err)
}

// tokens counts the lookup tokens that there are.
func (l *lifeRig) tokens() (n int) {
	l.t.Helper()
	l.must(l.backend.View(context.Background(), func(r journal.Reader) error {
		n = 0
		return r.Scan(journal.Table{Kind: journal.Index, Name: "token"}, journal.Range{},
			func(_, _ []byte) error { n++; return nil })
	}))
	return n
}

// An erased document answers as erased everywhere, and leaves nothing but its record and, until an order takes it, its
// external id.
func TestErase(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	deposit := vault.Deposit{ExternalID: "x/1", IdempotencyKey: "k", Title: "a title", FileName: "a.txt"}
	doc := l.deposit(deposit, []byte("content"))
	l.erase(doc.ID, false)
	if n := l.tokens(); n != 1 {
		t.Errorf("%d tokens are left, want the tombstone's", n)
	}
	_, err := l.vault.Find(ctx, l.who, "", "x/1")
	l.wants("finding it", err, vault.ErrErased)
	_, err = l.read(doc.ID)
	l.wants("reading it", err, vault.ErrErased)
	_, err = l.vault.Evidence(ctx, l.who, doc.ID, true)
	l.wants("disclosing it", err, vault.ErrErased)
	again := vault.Deposit{ExternalID: "x/1", Length: 7, Content: bytes.NewReader([]byte("content"))}
	_, err = l.vault.Deposit(ctx, l.who, again)
	l.wants("depositing under its external id", err, vault.ErrErased)
	described, err := l.vault.Describe(ctx, l.who, doc.ID)
	l.must(err)
	if described.State != vault.Erased || described.Title != "" || described.ExternalID != "" ||
		described.ContentSHA256 != nil || described.Withheld {
		t.Errorf("it is described as %+v", described)
	}
	l.fsck()

	l.erase(doc.ID, true)
	if n := l.tokens(); n != 0 {
		t.Errorf("%d tokens are left after the order", n)
	}
	_, err = l.vault.Find(ctx, l.who, "", "x/1")
	l.wants("finding what was forgotten", err, vault.ErrNotFound)
	fresh := l.deposit(vault.Deposit{ExternalID: "x/1"}, []byte("other content"))
	if fresh.ID == doc.ID {
		t.Error("the forgotten document answers a new deposit")
	}
	l.erase(doc.ID, true) // once more changes nothing
	if n := l.count("tombstone.erased/1"); n != 1 || l.count("document.erased/1") != 1 {
		t.Errorf("%d tombstones erased on record", n)
	}
	l.fsck()
}

// An order that takes the external id at once leaves no tombstone.
func TestEraseExternalID(t *testing.T) {
	t.Parallel()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{ExternalID: "x/1"}, []byte("content"))
	l.erase(doc.ID, true)
	if n := l.tokens(); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
	_, err := l.vault.Find(context.Background(), l.who, "", "x/1")
	l.wants("finding it", err, vault.ErrNotFound)
}

// Nothing is erased against the rules, by whom it may not be, or without an authority.
func TestEraseRefused(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{Title: "a title"}, []byte("content"))
	l.rules.held[doc.ID] = true
	_, err := l.vault.Erase(ctx, l.who, doc.ID, vault.EraseRequest{Authority: "order-7"})
	l.wants("erasing what is held", err, vault.ErrRetained)
	delete(l.rules.held, doc.ID)
	for _, authority := range []string{"", "the order of Mr Smith", "ä"} {
		_, err = l.vault.Erase(ctx, l.who, doc.ID, vault.EraseRequest{Authority: authority})
		l.wants("erasing by the authority "+authority, err, invalid.ErrField)
	}
	_, err = l.vault.Erase(ctx, l.operator, doc.ID, vault.EraseRequest{Authority: "order-7"})
	l.wants("erasing as an administrator", err, access.ErrDenied)
	if got, err := l.read(doc.ID); err != nil || string(got) != "content" {
		t.Errorf("it reads as %q, error %v", got, err)
	}
}

// Retention's own rules let nothing go yet: there are no schedules.
func TestUnscheduledIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	doc := r.deposit(vault.Deposit{}, []byte("content"))
	_, err := r.vault.Erase(context.Background(), r.who, doc.ID, vault.EraseRequest{Authority: "order-7"})
	if !errors.Is(err, vault.ErrRetained) {
		t.Errorf("erasing an unscheduled document: %v", err)
	}
}

// A read that is under way ends with the document.
func TestEraseEndsReads(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB: streamed
	doc := l.deposit(vault.Deposit{}, content)
	c, err := l.vault.Read(ctx, l.who, doc.ID, vault.ReadRequest{Purpose: "audit"})
	l.must(err)
	out := &erasingWriter{erase: func() { l.erase(doc.ID, false) }}
	l.wants("reading on", c.WriteSpan(ctx, out, 0), vault.ErrErased)
	l.must(c.Close())
	if out.n == 0 || out.n >= len(content) {
		t.Errorf("%d of %d bytes were served", out.n, len(content))
	}
	if n := vault.OpenSessions(l.vault); n != 0 {
		t.Errorf("%d sessions can still be joined", n)
	}
	l.must(l.vault.Close())
	if n := l.count("document.served/1"); n != 1 {
		t.Errorf("%d outcomes on record, want the read's", n)
	}
}

// erasingWriter erases after the first bytes.
type erasingWriter struct {
	erase func()
	n     int
}

func (w *erasingWriter) Write(p []byte) (int, error) {
	if w.n == 0 {
		w.erase()
	}
	w.n += len(p)
	return len(p), nil
}

// The ciphertext goes when its lock has ended, and that is on record.
func TestEraseObject(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{ExternalID: "x"}, []byte("content"))
	kept := l.deposit(vault.Deposit{}, []byte("kept"))
	ends := l.clock.Now().Add(24 * time.Hour) // of the lock that an object gets at its upload
	work := func() int {
		n, err := l.journal.WorkOnce(ctx, vault.EraseWorker(l.vault))
		l.must(err)
		return n
	}
	stored := func() (n int) {
		for _, err := range l.objects.List(ctx, "", "") {
			l.must(err)
			n++
		}
		return n
	}
	describe := func() vault.Document {
		described, err := l.vault.Describe(ctx, l.who, doc.ID)
		l.must(err)
		return described
	}
	l.erase(doc.ID, false)
	if got := describe(); got.ContentRemoved || got.ContentRemovable.Sub(ends).Abs() > 2*time.Second {
		t.Errorf("removed %v, removable %v, want %v", got.ContentRemoved, got.ContentRemovable, ends)
	}
	work()
	if n := stored(); n != 2 {
		t.Fatalf("%d objects are stored while the lock stands", n)
	}
	l.clock.Advance(23 * time.Hour)
	if work() != 0 {
		t.Error("the duty is due before the lock ends")
	}
	l.clock.Advance(2 * time.Hour)
	if work() != 1 || stored() != 1 {
		t.Errorf("%d objects are stored after the lock has ended", stored())
	}
	if got := describe(); !got.ContentRemoved || !got.ContentRemovable.IsZero() {
		t.Errorf("removed %v, removable %v", got.ContentRemoved, got.ContentRemovable)
	}
	story, err := l.story(doc.ID)
	l.must(err)
	if last := story[len(story)-1]; last.Type != string(vault.ObjectErased) {
		t.Errorf("its story ends with %s", last.Type)
	}
	if n, err := l.journal.Owed(ctx, "erase"); err != nil || n != 0 {
		t.Errorf("%d erasures owed, error %v", n, err)
	}
	if got, err := l.read(kept.ID); err != nil || string(got) != "kept" {
		t.Errorf("the other reads as %q, error %v", got, err)
	}
	l.fsck()
}

// A legal hold keeps the ciphertext, without a date.
func TestEraseHeldObject(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{}, []byte("content"))
	var info objects.Info
	for one, err := range l.objects.List(ctx, "", "") {
		l.must(err)
		info = one
	}
	l.must(l.objects.Hold(ctx, info.Key, info.Version, true))
	l.clock.Advance(25 * time.Hour)
	l.erase(doc.ID, false)
	_, err := l.journal.WorkOnce(ctx, vault.EraseWorker(l.vault))
	l.must(err)
	described, err := l.vault.Describe(ctx, l.who, doc.ID)
	l.must(err)
	if described.ContentRemoved || !described.ContentRemovable.IsZero() {
		t.Errorf("held: removed %v, removable %v", described.ContentRemoved, described.ContentRemovable)
	}
	l.must(l.objects.Hold(ctx, info.Key, info.Version, false))
	l.clock.Advance(25 * time.Hour)
	if n, err := l.journal.WorkOnce(ctx, vault.EraseWorker(l.vault)); err != nil || n != 1 ||
		l.count("object.erased/1") != 1 {
		t.Errorf("after the hold: %d done, error %v", n, err)
	}
}

// The evidence of an erased document tells of its end.
func TestEraseEvidence(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	doc := l.deposit(vault.Deposit{}, []byte("content"))
	l.erase(doc.ID, false)
	l.shipped()
	var raw []byte
	for deadline := time.Now().Add(10 * time.Second); ; {
		var err error
		if raw, err = l.vault.Evidence(ctx, l.who, doc.ID, false); err == nil {
			break
		}
		if !errors.Is(err, access.ErrUnreleased) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
	report := evidence.Verify(evidence.Input{Evidence: raw})
	if len(report.Story) != 2 || report.Story[1].Type != string(vault.DocumentErased) {
		t.Errorf("the story is %+v: %s", report.Story, report.Summary)
	}
}

// A document whose row is lost can be erased all the same, and nothing is left of it.
func TestEraseDamaged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	for name, damage := range map[string]func(journal.Txn, []byte) error{
		"missing": func(tx journal.Txn, key []byte) error {
			return tx.Delete(journal.Table{Kind: journal.Sealed, Name: "row"}, key)
		},
		"unreadable": func(tx journal.Txn, key []byte) error {
			return tx.Put(journal.Table{Kind: journal.Sealed, Name: "row"}, key, []byte("nonsense"))
		},
	} {
		doc := l.deposit(vault.Deposit{ExternalID: name}, []byte("content"))
		l.must(l.backend.Update(ctx, func(tx journal.Txn) error {
			return damage(tx, append([]byte{'d'}, doc.ID[:]...))
		}))
		l.erase(doc.ID, false)
		if n := l.tokens(); n != 0 {
			t.Errorf("%s: %d tokens are left", name, n)
		}
	}
	l.fsck()
}

// A row that does not open is no witness to the version that its copies in backups are wrapped with: they count as
// wrapped with the newest that there is, on record or not, so that nothing is said to be erased in backups that can be
// opened there.
func TestEraseDamagedVersion(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	l.rotate()
	if _, err := l.house.custodian.Rotate(ctx, l.tenant, 2); err != nil { // not on record yet
		t.Fatal(err)
	}
	doc := l.deposit(vault.Deposit{}, []byte("x"))
	row := sealedRow(t, l.journal, doc.ID)
	lying := bytes.Replace(row, []byte("local:v3:"), []byte("local:v1:"), 1)
	if bytes.Equal(lying, row) {
		t.Fatal("the row is not wrapped with version 3")
	}
	l.tamper(func(x journal.Txn) error {
		return x.Put(journal.Table{Kind: journal.Sealed, Name: "row"}, append([]byte{'d'}, doc.ID[:]...), lying)
	})
	l.erase(doc.ID, false)
	story, err := l.story(doc.ID)
	l.must(err)
	var data vault.DocumentErasedData
	l.must(json.Unmarshal(story[len(story)-1].Data, &data))
	if data.KeyVersion != 3 {
		t.Errorf("it is said to be erased with version %d: from a backup it opens with version 3", data.KeyVersion)
	}
}
