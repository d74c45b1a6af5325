package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
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
	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/rekey"
	"muniment/vault/seal"
)

// TestTwoInstallationsOfOneKeyService: with the same prefix and the same tenant, each has a key of its own, and a trim
// in one destroys nothing of the other's.
func TestTwoInstallationsOfOneKeyService(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	id, err := journal.NewID(l.clock.Now(), rand.Reader)
	l.must(err)
	other, err := journal.Open(ctx, journal.Config{
		Backend: memory.New(memory.Config{}), Bucket: journaltest.NewBucket(t), Signer: journaltest.Signer(),
		Clock: l.clock, Rand: rand.Reader, Log: l.cfg.Log, Origin: "muniment/other", ID: id, Create: true,
		ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
		Definitions: slices.Concat(vault.Definitions(), retention.Definitions(), anchor.Definitions()),
	})
	l.must(err)
	t.Cleanup(func() { l.must(other.Close()) })
	second, err := vault.Open(ctx, l.config(func(c *vault.Config) { c.Journal = other }))
	l.must(err)
	t.Cleanup(func() { l.must(second.Close()) })
	who, _, err := second.CreateTenant(ctx, l.tenant, everyRole)
	l.must(err)
	content := []byte("the other installation's")
	doc, err := second.Deposit(ctx, who, vault.Deposit{Length: int64(len(content)), Content: bytes.NewReader(content)})
	l.must(err)

	trim := l.proposed()
	_, err = l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)
	l.runTrim(trim.ID)

	if v, err := keys.ForJournal(l.keys, other.ID()).Versions(ctx, l.tenant); err != nil ||
		v != (keys.Versions{Newest: 1, Oldest: 1, Kept: 1}) {
		t.Errorf("the other installation's key has versions %+v, %v; want its first alone", v, err)
	}
	c, err := second.Read(ctx, who, doc.ID, vault.ReadRequest{Purpose: "test"})
	l.must(err)
	defer c.Close()
	var out bytes.Buffer
	for i := range c.Spans {
		l.must(c.WriteSpan(ctx, &out, i))
	}
	if !bytes.Equal(out.Bytes(), content) {
		t.Errorf("after a trim here, the other installation's document reads as %q", out.Bytes())
	}
}

// TestOlderKeyFileOpensWhatWasErased: a trim does not reach a copy of the key service's own storage, which the guides
// say. The copy that was made before it opens an erased document's row from a backup of that time.
func TestOlderKeyFileOpensWhatWasErased(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "keys.json")
	service, err := local.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close() })
	l := newLifeRig(t, house{service: service, custodian: service, ours: true})
	doomed := l.deposit(vault.Deposit{Title: "doomed"}, []byte("doomed"))
	backup := sealedRow(t, l.journal, doomed.ID)
	_, err = l.vault.Erase(ctx, l.who, doomed.ID, vault.EraseRequest{Authority: "GRS-3.2-010"})
	l.must(err)
	trim := l.proposed()
	_, err = l.life.ApproveTrim(ctx, l.approver, trim.ID)
	l.must(err)
	l.clock.Advance(trimWait)

	older := filepath.Join(t.TempDir(), "keys.json")
	content, err := os.ReadFile(path)
	l.must(err)
	l.must(os.WriteFile(older, content, 0o600))
	l.runTrim(trim.ID)
	l.wants("the key file after the trim", l.unwraps(doomed.ID, backup), keys.ErrNoKey)

	copied, err := local.Read(older)
	l.must(err)
	rows, err := seal.Open(ctx, keys.ForJournal(copied, l.journal.ID()), l.tenant,
		[]seal.Sealed{{Binding: seal.Binding(l.tenant, doomed.ID), Value: backup}})
	l.must(err)
	if rows[0].Err != nil || !bytes.Contains(rows[0].Text, []byte("doomed")) {
		t.Errorf("the older copy of the key file does not open the erased row (%v): the guides promise too little",
			rows[0].Err)
	}
}

// TestRewrapOfAnUnboundRow: an event that rewraps a row which nothing binds is refused, when it is committed and when
// it is replayed from what was shipped.
func TestRewrapOfAnUnboundRow(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	data := rekey.KeysRewrappedData{Version: 2, Rows: [][]byte{append([]byte{'d'}, make([]byte, 16)...)}}
	forged := journal.Change{Events: []journal.Event{rekey.KeysRewrapped.New(journal.ID{}, data)}}
	actor := journal.Actor{Tenant: "default", ID: "somebody"}
	decide := func(journal.View) (journal.Change, error) { return forged, nil }
	lax := []journal.Definition{
		rekey.KeysRewrapped.On(func(*journal.Writer, journal.Entry, rekey.KeysRewrappedData) error { return nil }),
	}
	id, err := journal.NewID(time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bucket := journaltest.NewBucket(t)
	open := func(definitions []journal.Definition, id journal.ID) (*journal.Journal, error) {
		return journal.Open(ctx, journal.Config{
			Backend: memory.New(memory.Config{}), Bucket: bucket, Signer: journaltest.Signer(),
			Clock: journaltest.NewClock(), Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
			Origin: "muniment/test", ID: id, Create: !id.IsZero(),
			ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
			Definitions: definitions,
		})
	}
	j, err := open(lax, id)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := j.Commit(ctx, actor, decide)
	if err == nil {
		err = j.Shipped(ctx, receipt)
	}
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	if j, err := open(rekey.Definitions(), journal.ID{}); err == nil {
		t.Error("the event was replayed")
		_ = j.Close()
	} else if !strings.Contains(err.Error(), "keys.rewrapped/1") {
		t.Errorf("replaying the event: %v", err)
	}
	r := newRig(t)
	if _, err := r.journal.Commit(ctx, journal.Actor{Tenant: r.tenant, ID: "somebody"}, decide); err == nil {
		t.Error("the event was committed")
	}
}
