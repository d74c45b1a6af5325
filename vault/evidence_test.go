package vault_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"muniment/anchor/evidence"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/seal"
)

func TestEvidence(t *testing.T) {
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
		if file.Document != done.ID.String() || len(file.Bodies) != 1 || file.Bodies[0].Body != string(done.Receipt.Body) {
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
			if got := seal.Commitment(file.Disclosure.Salt, digest); string(got[:]) != string(done.Document.Commitment) {
				t.Error("the salt does not give the commitment")
			}
		}
		rec, _ := r.last("evidence.issued/1")
		if want := map[bool]string{false: `{"disclosed":false}`, true: `{"disclosed":true}`}[disclose]; string(rec.Data) != want || rec.Doc != done.ID {
			t.Errorf("on record: %s", rec.Body)
		}
	}
	approver := r.principal(access.Grant{Role: access.Approver})
	if _, err := r.vault.Evidence(context.Background(), approver, done.ID, false); !errors.Is(err, access.ErrDenied) {
		t.Errorf("evidence for an approver: %v", err)
	}
}
