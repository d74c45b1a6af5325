package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/invalid"
	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/rekey"
	"muniment/vault/seal"
)

// letting are rules that let documents go but those that are held.
type letting struct {
	retention.Rules
	held map[journal.ID]bool
}

func (l letting) MayErase(_ journal.Reader, _ string, id journal.ID) error {
	if l.held[id] {
		return fmt.Errorf("a hold stands: %w", vault.ErrRetained)
	}
	return nil
}

// house is where the tenants' keys are kept, and who acts on them.
type house struct {
	service   keys.Service
	custodian keys.Custodian
	ours      bool // the gateway is the custodian
}

// localHouse keeps keys in a file.
func localHouse(t testing.TB) house {
	t.Helper()
	service, err := local.Create(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close() })
	return house{service: service, custodian: service, ours: true}
}

// lifeRig is a rig with the people that a key's life takes.
type lifeRig struct {
	*rig
	house
	rules              letting
	custodian, second  access.Who
	approver, operator access.Who
}

const trimWait = 30 * 24 * time.Hour

func newLifeRig(t testing.TB, h house, options ...option) *lifeRig {
	t.Helper()
	l := &lifeRig{house: h, rules: letting{held: map[journal.ID]bool{}}}
	l.rig = newRig(t, append([]option{func(r *rig, cfg *vault.Config) {
		r.keys, cfg.Keys, cfg.Rules, r.lifeConfig.TrimWait = h.service, h.service, l.rules, trimWait
		if h.ours {
			r.lifeConfig.Custodian = h.custodian
		}
	}}, options...)...)
	l.service = keys.ForJournal(h.service, l.journal.ID())
	l.house.custodian = keys.CustodianForJournal(h.custodian, l.journal.ID())
	l.found()
	l.custodian = l.principal(access.Grant{Role: access.KeyCustodian})
	l.second = l.principal(access.Grant{Role: access.KeyCustodian})
	l.approver = l.principal(access.Grant{Role: access.Approver})
	l.operator = l.founders.Administrator.Who
	return l
}

// names is how many display names are sealed.
func (l *lifeRig) names() (n int64) {
	l.t.Helper()
	l.must(l.journal.View(context.Background(), func(r journal.Reader) error {
		return journal.ScanSealed(r, nil, func(key, _ []byte) error {
			if key[0] == access.SealedName {
				n++
			}
			return nil
		})
	}))
	return n
}

// rotate gives the tenant's key a new version, whoever has to do it.
func (l *lifeRig) rotate() rekey.Rotation {
	l.t.Helper()
	ctx := context.Background()
	if !l.ours {
		before, err := l.service.Versions(ctx, l.tenant)
		l.must(err)
		_, err = l.house.custodian.Rotate(ctx, l.tenant, before.Newest)
		l.must(err)
	}
	out, err := l.life.Rotate(ctx, l.custodian)
	l.must(err)
	return out
}

// rewrapped runs a rewrap to its end.
func (l *lifeRig) rewrapped() rekey.Rewrap {
	l.t.Helper()
	_, err := l.life.StartRewrap(context.Background(), l.custodian)
	l.must(err)
	return l.awaitRewrap()
}

// awaitRewrap waits until no rewrap runs.
func (l *lifeRig) awaitRewrap() rekey.Rewrap {
	l.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		status, err := l.life.Status(context.Background(), l.custodian)
		l.must(err)
		if status.Rewrap.State != rekey.RewrapRunning {
			return *status.Rewrap
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("the rewrap does not end: %+v", status.Rewrap)
		}
		<-time.After(time.Millisecond)
	}
}

// backup puts a backup on record that holds all that there is.
func (l *lifeRig) backup() rekey.Backup {
	l.t.Helper()
	ctx := context.Background()
	size := l.journal.Size()
	root, err := l.journal.RootAt(ctx, size)
	l.must(err)
	b, err := l.life.RecordBackup(ctx, l.operator, rekey.Backup{Size: size, Root: root, Label: "offsite"})
	l.must(err)
	return b
}

// versions counts the sealed rows by the version of the key that they are wrapped with.
func (l *lifeRig) versions() map[int]int {
	l.t.Helper()
	out := map[int]int{}
	l.must(l.journal.View(context.Background(), func(r journal.Reader) error {
		return journal.ScanSealed(r, nil, func(_, value []byte) error {
			wrapped, err := seal.Wrapped(value)
			if err != nil {
				return err
			}
			version, err := keys.VersionOf(wrapped)
			out[version]++
			return err
		})
	}))
	return out
}

// sealedRow copies a document's sealed row.
func sealedRow(t testing.TB, j *journal.Journal, id journal.ID) (value []byte) {
	t.Helper()
	err := j.View(context.Background(), func(r journal.Reader) error {
		row, err := journal.SealedRow(r, append([]byte{'d'}, id[:]...))
		value = bytes.Clone(row)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// unwraps says whether a document's sealed row opens with the keys that there are now.
func (l *lifeRig) unwraps(id journal.ID, value []byte) error {
	l.t.Helper()
	opened, err := seal.Open(context.Background(), l.service, l.tenant,
		[]seal.Sealed{{Binding: seal.Binding(l.tenant, id), Value: value}})
	l.must(err)
	return opened[0].Err
}

// restored opens a journal from a copy of a release bucket, as a new machine would.
func (l *lifeRig) restored(bucket journal.Bucket) *journal.Journal {
	l.t.Helper()
	j, err := journal.Open(context.Background(), journal.Config{
		Backend: memory.New(memory.Config{}), Bucket: bucket, Signer: journaltest.Signer(), Clock: l.clock,
		Rand: rand.Reader,
		Log:  slog.New(slog.DiscardHandler), Origin: "muniment/test",
		ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
		Definitions: slices.Concat(vault.Definitions(), retention.Definitions(), anchor.Definitions()),
	})
	l.must(err)
	l.t.Cleanup(func() { _ = j.Close() })
	return j
}

// shipped waits until all that is committed is released, and copies the release bucket.
func (l *lifeRig) shipped() *journaltest.Bucket {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l.must(l.journal.Shipped(ctx, journal.Receipt{Index: l.journal.Size() - 1}))
	return l.bucket.Clone(l.t)
}

// fsck checks the journal, the keys too. The journal is open, so it looks again when something was written meanwhile.
func (l *lifeRig) fsck() {
	l.t.Helper()
	for range 10 {
		l.shipped()
		size := l.journal.Size()
		findings, err := journal.Fsck(context.Background(), journal.FsckConfig{
			Backend: l.backend, Bucket: l.bucket, Scratch: memory.New(memory.Config{}),
			Definitions: slices.Concat(vault.Definitions(), retention.Definitions(), anchor.Definitions()),
			Tokens:      vault.NewIndexer(l.journal.View, l.keys).Tokens,
			Allowed:     access.Join(vault.EventRules(), retention.EventRules()).Allowed(),
		})
		l.must(err)
		if l.journal.Size() != size {
			continue
		}
		for _, finding := range findings {
			l.t.Errorf("fsck: %s", finding)
		}
		return
	}
	l.t.Fatal("the journal does not come to rest")
}

func TestKeyLife(t *testing.T) {
	t.Parallel()
	testKeyLife(t, localHouse(t))
}

// testKeyLife leads a key from its rotation to the end of its first version: what was erased before is gone in every
// backup, and what was kept is not.
func testKeyLife(t *testing.T, h house) {
	ctx := context.Background()
	l := newLifeRig(t, h)
	kept := l.deposit(vault.Deposit{ExternalID: "kept", Title: "kept"}, []byte("kept"))
	doomed := l.deposit(vault.Deposit{ExternalID: "doomed", IdempotencyKey: "k", Title: "doomed"}, []byte("doomed"))
	if _, err := l.vault.Read(ctx, l.who, kept.ID, vault.ReadRequest{Purpose: "audit", Note: "a note"}); err != nil {
		t.Fatal(err)
	}
	old := l.shipped() // a backup from before the erasure

	receipt, err := l.vault.Erase(ctx, l.who, doomed.ID, vault.EraseRequest{Authority: "GRS-3.2-010"})
	l.must(err)
	if again, err := l.vault.Erase(ctx, l.who, doomed.ID, vault.EraseRequest{Authority: "GRS-3.2-010"}); err != nil ||
		again.Index != receipt.Index {
		t.Errorf("erasing again: %d, error %v, want the receipt of %d", again.Index, err, receipt.Index)
	}
	_, err = l.life.ProposeTrim(ctx, l.custodian, 0)
	l.wants("proposing before the first rotation", err, invalid.ErrField)

	if got := l.rotate(); got != (rekey.Rotation{Version: 2, Recorded: true}) {
		t.Errorf("rotating gives %+v", got)
	}
	_, err = l.life.ProposeTrim(ctx, l.custodian, 0)
	l.wants("proposing before the rewrap", err, rekey.ErrNotRewrapped)
	l.backup()
	if got := l.rewrapped(); got.State != rekey.RewrapDone || got.Rewrapped != 4+l.names() || got.Seen != got.Total ||
		got.Unreadable != 0 {
		t.Errorf("the rewrap came to %+v, error %v", got, got.Err)
	}
	if got := l.versions(); got[1] != 0 || got[2] != 4+int(l.names()) {
		t.Errorf("rows by version after the rewrap: %v", got)
	}
	_, err = l.life.ProposeTrim(ctx, l.custodian, 0)
	l.wants("proposing with a backup from before the rewrap", err, rekey.ErrNoBackup)
	l.backup()
	trim, err := l.life.ProposeTrim(ctx, l.custodian, 0)
	l.must(err)
	l.checkTrim(trim)

	l.erasedInBackups(doomed.ID, false)
	l.clock.Advance(trimWait)
	l.runTrim(trim.ID)
	l.erasedInBackups(doomed.ID, true)

	// The old backup, in which nothing is erased yet, comes back whole, and its erased document does not open.
	then := l.restored(old)
	if row := sealedRow(t, then, doomed.ID); row == nil {
		t.Error("the old backup has no row of the document that was erased later")
	} else if err := l.unwraps(doomed.ID, row); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("the erased document opens from the old backup: error %v", err)
	}
	_, err = vault.Open(ctx, l.config(func(c *vault.Config) { c.Journal = then }))
	if err == nil || !strings.Contains(err.Error(), "before a trim") {
		t.Errorf("opening a vault over the old backup: %v", err)
	}
	// The present one gives back what is kept.
	now := l.restored(l.shipped())
	if err := l.unwraps(kept.ID, sealedRow(t, now, kept.ID)); err != nil {
		t.Errorf("a living document does not open from the present backup: %v", err)
	}
	if row := sealedRow(t, now, doomed.ID); row != nil {
		t.Error("the present backup has a row of the erased document")
	}
	cfg := l.config(func(c *vault.Config) { c.Journal = now })
	second, err := vault.Open(ctx, cfg)
	l.must(err)
	if doc, err := second.Find(ctx, l.who, "", "kept"); err != nil || doc.Title != "kept" {
		t.Errorf("after a restore the living document is %+v, error %v", doc, err)
	}
	_, err = second.Find(ctx, l.who, "", "doomed")
	l.wants("after a restore, the erased external id", err, vault.ErrErased)
	l.must(second.Close())

	if got, err := l.read(kept.ID); err != nil || string(got) != "kept" {
		t.Errorf("the living document reads as %q, error %v", got, err)
	}
	l.fsck()
}

// checkTrim sees that a trim is refused as long as anything is missing: the approval, the second person, the waiting
// period.
func (l *lifeRig) checkTrim(trim rekey.Trim) {
	l.t.Helper()
	ctx := context.Background()
	if again, err := l.life.ProposeTrim(ctx, l.second, trim.Oldest); err != nil || again.ID != trim.ID {
		l.t.Errorf("the same proposal again: %v, error %v, want the open one", again.ID, err)
	}
	_, err := l.life.RunTrim(ctx, l.custodian, trim.ID)
	l.wants("running unapproved", err, approval.ErrUnapproved)
	_, err = l.life.ApproveTrim(ctx, l.custodian, trim.ID)
	l.wants("approving as a key custodian", err, access.ErrDenied)
	_, err = l.life.ApproveTrim(ctx, l.who, trim.ID)
	l.wants("approving as a records officer", err, access.ErrDenied)
	approved, err := l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	if approved.State != approval.Approved || approved.Approver != l.approver.Actor().ID {
		l.t.Errorf("approved: %+v", approved)
	}
	_, err = l.life.RunTrim(ctx, l.custodian, trim.ID)
	l.wants("running before the waiting period has ended", err, approval.ErrWaiting)
	_, err = l.life.RunTrim(ctx, l.approver, trim.ID)
	l.wants("running what one has approved", err, access.ErrDenied)
	_, err = l.life.RunTrim(ctx, l.operator, trim.ID)
	l.wants("running as an administrator", err, access.ErrDenied)
}

// runTrim carries out a trim that everything is ready for.
func (l *lifeRig) runTrim(id journal.ID) {
	l.t.Helper()
	ctx := context.Background()
	done, err := l.life.RunTrim(ctx, l.custodian, id)
	l.must(err)
	if !l.ours {
		if done.State != approval.Begun {
			l.t.Errorf("before the key custodian has trimmed, the trim is %s", done.State)
		}
		l.must(l.house.custodian.Trim(ctx, l.tenant, done.Oldest))
		done, err = l.life.RunTrim(ctx, l.custodian, id)
		l.must(err)
	}
	if done.State != approval.Done {
		l.t.Errorf("after the trim it is %s", done.State)
	}
	if again, err := l.life.RunTrim(ctx, l.custodian, id); err != nil || again.State != approval.Done {
		l.t.Errorf("running again: %+v, error %v", again, err)
	}
	status, err := l.life.Status(ctx, l.custodian)
	l.must(err)
	if status.Oldest != done.Oldest || status.InService.Kept != done.Oldest || !status.Covered {
		l.t.Errorf("after the trim the key is %+v, in service %+v", status, status.InService)
	}
	if n := l.count("key.trimmed/1"); n != 1 {
		l.t.Errorf("%d key.trimmed on record", n)
	}
}

// erasedInBackups looks at all that tells of an erased document whether it is so in backups.
func (l *lifeRig) erasedInBackups(id journal.ID, want bool) {
	l.t.Helper()
	ctx := context.Background()
	doc, err := l.vault.Describe(ctx, l.who, id)
	l.must(err)
	if doc.State != vault.Erased || doc.Title != "" || doc.ErasedInBackups != want || doc.ErasedAt.IsZero() {
		l.t.Errorf("the erased document is described as %+v", doc)
	}
	page, err := l.vault.List(ctx, l.who, vault.Query{State: vault.Erased})
	l.must(err)
	if len(page.Documents) != 1 || page.Documents[0].ErasedInBackups != want {
		l.t.Errorf("the listing has %+v", page.Documents)
	}
	story, err := l.story(id)
	l.must(err)
	last := story[len(story)-1]
	if got := last.Type == string(rekey.ErasedInBackups); got != want {
		l.t.Errorf("its story ends with %s", last.Type)
	}
	var data rekey.ErasedInBackupsData
	if err := json.Unmarshal(last.Data, &data); want && (err != nil || data.Count != 1 || data.Before != 2) {
		l.t.Errorf("the record says %+v, error %v", data, err)
	}
}
