package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"testing"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/keys"
)

// TestTwoInstallationsOfOneKeyService: with the same prefix and the same tenant, each has a key of its own, and a trim in
// one destroys nothing of the other's.
func TestTwoInstallationsOfOneKeyService(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	id, err := journal.NewID(l.clock.Now(), rand.Reader)
	l.must(err)
	other, err := journal.Open(ctx, journal.Config{
		Backend: memory.New(memory.Config{}), Bucket: journaltest.NewBucket(t), Signer: journaltest.Signer(),
		Clock: l.clock, Rand: rand.Reader, Log: l.cfg.Log, Origin: "muniment/other", ID: id, Create: true,
		ShippingKeys: journaltest.ShippingKeys(),
		Definitions:  slices.Concat(vault.Definitions(), retention.Definitions(), anchor.Definitions()),
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
