package vault_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
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
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

// restoreFrom opens a vault over a journal that came back from a bucket, and puts that on record.
func (r *rig) restoreFrom(bucket *journaltest.Bucket) *rig {
	r.t.Helper()
	ctx := context.Background()
	back := *r
	var err error
	back.backend, back.bucket = memory.New(memory.Config{}), bucket
	back.journal, err = journal.Open(ctx, journal.Config{
		Backend: back.backend, Bucket: bucket, Signer: journaltest.Signer(), Clock: r.clock, Rand: rand.Reader,
		Log: r.cfg.Log, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
		Definitions: slices.Concat(vault.Definitions(), retention.Definitions(), anchor.Definitions()),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	data := vault.JournalRestoredData{Size: back.journal.Size(), Outside: []vault.OutsideHead{{From: "test", Size: 1}}}
	_, err = back.journal.Commit(ctx, journal.Actor{Tenant: journal.System, ID: access.OperatorActor},
		func(journal.View) (journal.Change, error) {
			event := vault.JournalRestored.New(journal.ID{}, data)
			return journal.Change{Events: []journal.Event{event}}, nil
		})
	if err != nil {
		r.t.Fatal(err)
	}
	back.vault, err = vault.Open(ctx, r.config(func(c *vault.Config) { c.Journal = back.journal }))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		back.vault.Close()
		back.journal.Close()
	})
	return &back
}

// TestSweepSparesWhatARestoreFound: the release bucket was put back to an earlier time, so the log does not know a
// document that was acknowledged. Its object stays, is an alarm, and is on record once; later orphans are swept. So it
// is too where the journal's time is ahead of the clock.
func TestSweepSparesWhatARestoreFound(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"with the clock": 0, "ahead": year} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.clock.Step(ahead)
			_, err := r.vault.SetPurposes(t.Context(), r.who, []string{"test"})
			r.must(err)
			r.clock.Step(-ahead)
			r.sweepRestored()
		})
	}
}

// sweepRestored loses a document by a restore from an earlier bucket, and sweeps.
func (r *rig) sweepRestored() {
	t, ctx := r.t, context.Background()
	t.Helper()
	r.orphan("default/broken-before", objects.PutOptions{})
	r.clock.Advance(time.Hour)
	r.deposit(vault.Deposit{}, []byte("one"))
	r.awaitHead()
	early := r.bucket.Clone(unwatched{})
	r.clock.Advance(time.Minute)
	lost := r.deposit(vault.Deposit{}, []byte("two: acknowledged"))
	r.clock.Advance(time.Hour)
	back := r.restoreFrom(early)
	r.clock.Advance(time.Hour)
	r.orphan("default/broken-after", objects.PutOptions{})
	r.clock.Advance(25 * time.Hour)
	for range 2 {
		if _, err := back.vault.Sweep(ctx, r.tenant); err != nil {
			t.Fatal(err)
		}
	}
	if n := back.stored(); n != 3 {
		t.Errorf("%d objects are left, want all from before the restore", n)
	}
	if got, err := r.read(lost.ID); err != nil || string(got) != "two: acknowledged" {
		t.Errorf("by the history that was put away it reads %q, %v", got, err)
	}
	var found []vault.ObjectsUnknownData
	for _, rec := range back.records() {
		if rec.Type == string(vault.ObjectsUnknown) {
			var data vault.ObjectsUnknownData
			if err := json.Unmarshal(rec.Data, &data); err != nil {
				t.Fatal(err)
			}
			found = append(found, data)
		}
	}
	if len(found) != 1 || found[0].Objects != 1 || found[0].Bytes == 0 || found[0].Oldest.IsZero() {
		t.Errorf("on record: %+v", found)
	}
	if log := string(r.log.Bytes()); !strings.Contains(log, "deposits may be missing") {
		t.Error("nobody is told")
	}
}

// TestSweepNeverTouchesLockedCheckpoints: not even of a tenant of their prefix's name, and when their locks are over.
func TestSweepNeverTouchesLockedCheckpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.orphan(checkpoints.Prefix+journaltest.ID.String()+"/7", objects.PutOptions{})
	r.orphan(objects.DocumentsOwner, objects.PutOptions{})
	r.clock.Advance(100 * 24 * time.Hour)
	for _, tenant := range []string{r.tenant, strings.TrimSuffix(checkpoints.Prefix, "/")} {
		if n, err := r.vault.Sweep(context.Background(), tenant); n != 0 || err != nil {
			t.Errorf("of the tenant %q %d were swept, %v", tenant, n, err)
		}
	}
	if n := r.stored(); n != 2 {
		t.Errorf("%d objects are left", n)
	}
}
