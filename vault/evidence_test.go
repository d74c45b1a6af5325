package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"testing"
	"time"

	"muniment/anchor"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	ledgers "muniment/anchor/ledger"
	"muniment/anchor/ledger/local"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/seal"
)

func TestEvidence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := []byte("content")
	done := r.deposit(vault.Deposit{}, content)
	r.deposit(vault.Deposit{}, []byte("a later one"))
	if _, err := r.read(done.ID); err != nil { // reads do not go into an evidence file
		t.Fatal(err)
	}
	for _, disclose := range []bool{false, true} {
		raw, err := r.vault.Evidence(context.Background(), r.who, done.ID, disclose)
		if err != nil {
			t.Fatal(err)
		}
		file, err := evidence.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if file.Document != done.ID.String() || len(file.Bodies) != 1 ||
			file.Bodies[0].Body != string(done.Receipt.Body) {
			t.Errorf("the file says %+v", file)
		}
		if (file.Disclosure != nil) != disclose {
			t.Fatalf("disclose %v: the disclosure is %v", disclose, file.Disclosure)
		}
		if disclose {
			digest := sha256.Sum256(content)
			if file.Disclosure.Digest != hex.EncodeToString(digest[:]) {
				t.Error("another digest is disclosed")
			}
			if got := seal.Commitment(file.Disclosure.Salt,
				digest); string(got[:]) != string(done.Document.Commitment) {
				t.Error("the salt does not give the commitment")
			}
		}
		rec, _ := r.last("evidence.issued/1")
		if want := map[bool]string{false: `{"disclosed":false}`,
			true: `{"disclosed":true}`}[disclose]; string(rec.Data) != want || rec.Doc != done.ID {
			t.Errorf("on record: %s", rec.Body)
		}
	}
	approver := r.principal(access.Grant{Role: access.Approver})
	if _, err := r.vault.Evidence(context.Background(), approver, done.ID, false); !errors.Is(err, access.ErrDenied) {
		t.Errorf("evidence for an approver: %v", err)
	}
}

// TestEvidenceReadsNoReads: evidence finds what it needs without the reads of the document. The body of one is damaged
// here, which a history that comes to it says.
func TestEvidenceReadsNoReads(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	done := r.deposit(vault.Deposit{}, []byte("content"))
	if err := vault.RecordRead(t.Context(), r.vault, r.who, done.ID, "audit"); err != nil {
		t.Fatal(err)
	}
	read, _ := r.last(string(vault.DocumentRead))
	r.tamper(func(tx journal.Txn) error {
		return tx.Put(journal.Table{Kind: journal.Log, Name: "body"},
			binary.BigEndian.AppendUint64(nil, read.Index), bytes.Repeat([]byte{'x'}, 100))
	})
	if _, err := r.vault.Evidence(t.Context(), r.who, done.ID, true); err != nil {
		t.Errorf("evidence: %v", err)
	}
	if _, err := r.vault.History(t.Context(), r.who, done.ID, 0, 10); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("history: %v", err)
	}
}

// An auditor who has the file, the document and a policy verifies an anchored deposit down to the ledger.
func TestEvidenceVerifies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	ledger, err := local.Open(local.Config{Dir: t.TempDir(), ID: "local/test", Signer: journaltest.Signer(),
		Clock: r.clock})
	if err != nil {
		t.Fatal(err)
	}
	publisher, err := anchor.New(anchor.Config{
		Journal: r.journal, Ledgers: []ledgers.Ledger{ledger}, Interval: time.Hour, Clock: r.clock, Rand: rand.Reader,
		Log: slog.New(slog.DiscardHandler),
		Ask: r.cfg.Door.For(access.AnchorNow), Show: r.cfg.Door.For(access.ViewAnchors),
	})
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("content")
	digest := sha256.Sum256(content)
	done := r.deposit(vault.Deposit{}, content)
	policy := &evidence.Policy{
		V: evidence.Version, Require: 1,
		Origins: []evidence.Origin{{Origin: r.journal.Origin(), Keys: []string{r.journal.VerifierKey()}}},
		Ledgers: []evidence.Pin{{Kind: ledger.Kind(), ID: ledger.ID(), Pin: ledger.VerifierKey()}},
	}
	verify := func(digest []byte) evidence.Verdict {
		t.Helper()
		raw, err := r.vault.Evidence(ctx, r.who, done.ID, true)
		if err != nil {
			t.Fatal(err)
		}
		return evidence.Verify(evidence.Input{Evidence: raw, Digest: digest, Policy: policy}).Verdict
	}
	if got := verify(digest[:]); got != evidence.CannotTell {
		t.Errorf("before it is anchored: %s", got)
	}
	if _, err := publisher.Now(ctx, r.who.Actor()); err != nil {
		t.Fatal(err)
	}
	if got := verify(digest[:]); got != evidence.Verified {
		t.Errorf("anchored: %s", got)
	}
	r.deposit(vault.Deposit{}, []byte("a later one"))
	if got := verify(digest[:]); got != evidence.Verified {
		t.Errorf("after a later deposit: %s", got)
	}
	other := sha256.Sum256([]byte("other"))
	if got := verify(other[:]); got != evidence.DoesNotMatch {
		t.Errorf("another document: %s", got)
	}
}
