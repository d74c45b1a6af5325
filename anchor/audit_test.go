package anchor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/ledger/local"
)

// chained is a kit with a local ledger to which it has been anchored so many times.
func chained(t *testing.T, times int) (*kit, *local.Ledger, string) {
	t.Helper()
	k, clock := newStill(t)
	dir := filepath.Join(t.TempDir(), "ledger")
	l, err := local.Open(local.Config{Dir: dir, ID: "local/test", Signer: journaltest.Signer(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	p := k.publisher(l)
	for range times {
		k.commit(newsEvent)
		clock.Advance(interval)
		k.turn(p)
	}
	return k, l, dir
}

func policyOf(t *testing.T, k *kit, l *local.Ledger) *evidence.Policy {
	t.Helper()
	return &evidence.Policy{
		V:       evidence.Version,
		Origins: []evidence.Origin{{Origin: k.journal.Origin(), Keys: []string{k.journal.VerifierKey()}}},
		Ledgers: []evidence.Pin{{Kind: l.Kind(), ID: l.ID(), Pin: l.VerifierKey()}},
		Require: 1,
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	k, l, _ := chained(t, 70) // more than a page
	policy := policyOf(t, k, l)
	got, err := anchor.Audit(t.Context(), k.journal.View, policy)
	if err != nil || len(got) != 1 || got[0].Anchors != 70 || got[0].Verified != 70 || got[0].Untold != "" ||
		got[0].Last == 0 {
		t.Errorf("the audit says %+v, %v", got, err)
	}
	head, err := anchor.CompareHead(t.Context(), k.journal.View, l, k.journal.Origin())
	if err != nil || head.Size != got[0].Last {
		t.Errorf("the ledger's head is at %d, %v", head.Size, err)
	}
	if head, err := anchor.CompareHead(t.Context(), k.journal.View, l, "muniment/other"); err != nil || head.Size != 0 {
		t.Errorf("the head of an origin that was never anchored is at %d, %v", head.Size, err)
	}
	for _, p := range []*evidence.Policy{nil, {V: 1, Origins: policy.Origins}} {
		got, err := anchor.Audit(t.Context(), k.journal.View, p)
		if err != nil || got[0].Anchors != 70 || got[0].Verified != 0 || got[0].Untold == "" {
			t.Errorf("without a word on the ledger the audit says %+v, %v", got, err)
		}
	}
	stranger, err := note.NewEd25519VerifierKey(l.ID(), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	wrong := *policy
	wrong.Ledgers = []evidence.Pin{{Kind: l.Kind(), ID: l.ID(), Pin: stranger}}
	if _, err := anchor.Audit(t.Context(), k.journal.View, &wrong); !errors.Is(err, anchor.ErrContradicted) {
		t.Errorf("with another key pinned the audit says %v", err)
	}
}

// TestAuditOfAnotherLog: a log in which an anchored entry was replaced does not pass, though its anchors' own rows are
// as they were.
func TestAuditOfAnotherLog(t *testing.T) {
	t.Parallel()
	k, l, _ := chained(t, 3)
	short := journal.Table{Kind: journal.Log, Name: "tile"}
	view := func(ctx context.Context, fn func(journal.Reader) error) error {
		return k.journal.View(ctx, func(r journal.Reader) error { return fn(changed{r, short}) })
	}
	if _, err := anchor.Audit(t.Context(), view, policyOf(t, k, l)); !errors.Is(err, anchor.ErrContradicted) {
		t.Errorf("the audit says %v", err)
	}
	if _, err := anchor.CompareHead(t.Context(), view, l, k.journal.Origin()); !errors.Is(err, anchor.ErrContradicted) {
		t.Errorf("the comparison says %v", err)
	}
}

// changed shows a table with a bit of each row's beginning flipped.
type changed struct {
	journal.Reader
	table journal.Table
}

func (c changed) Get(t journal.Table, key []byte) ([]byte, error) {
	row, err := c.Reader.Get(t, key)
	if t == c.table && len(row) > 0 {
		row = append([]byte{row[0] ^ 1}, row[1:]...)
	}
	return row, err
}

// TestALostLedgerComesBack: a folder of blocks that is lost is written again to the byte from the anchors on record,
// and a log that was restored to before its last anchor is told from the ledger's head.
func TestALostLedgerComesBack(t *testing.T) {
	t.Parallel()
	k, l, dir := chained(t, 3)
	blocks, err := filepath.Glob(filepath.Join(dir, "*.block"))
	if err != nil || len(blocks) != 3 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	last, err := os.ReadFile(blocks[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	again, err := local.Open(local.Config{Dir: dir, ID: l.ID(), Signer: journaltest.Signer(), Clock: k.clock})
	if err != nil {
		t.Fatal(err)
	}
	k.turn(k.publisher(again))
	written, err := os.ReadFile(blocks[2])
	if err != nil || string(written) != string(last) {
		t.Errorf("the last block is %q, %v; want %q", written, err, last)
	}

	younger, _ := newStill(t)
	younger.commit(newsEvent)
	_, err = anchor.CompareHead(t.Context(), younger.journal.View, again, younger.journal.Origin())
	if !errors.Is(err, anchor.ErrContradicted) || !strings.Contains(err.Error(), "local local/test") {
		t.Errorf("comparing a log that is shorter than the ledger knows says %v", err)
	}
}
