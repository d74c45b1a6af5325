package vault_test

import (
	"context"
	"fmt"
	"testing"

	"muniment/vault"
	"muniment/vault/access"
)

// A bounded number of sessions is kept open, the newest, for any number of purposes.
func TestSessionsBounded(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("opens thousands of sessions")
	}
	r := newRig(t)
	id := r.deposit(vault.Deposit{}, []byte("x")).ID
	ctx := context.Background()
	read := func(who access.Who, i int) {
		t.Helper()
		if err := vault.RecordRead(ctx, r.vault, who, id, fmt.Sprint("p-", i)); err != nil {
			t.Fatal(err)
		}
	}
	const more = 10
	for i := range vault.MaxSessions + more {
		read(r.who, i)
	}
	if n := vault.OpenSessions(r.vault); n != vault.MaxSessions {
		t.Errorf("%d sessions are open, want %d", n, vault.MaxSessions)
	}
	before := r.journal.Size()
	read(r.who, vault.MaxSessions)
	if r.journal.Size() != before {
		t.Error("a new session cannot be joined")
	}
	read(r.who, 0)
	if r.journal.Size() != before+1 {
		t.Error("the oldest session can be joined")
	}
}

// Sessions are told apart by their notes.
func TestSessionNotes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.deposit(vault.Deposit{}, []byte("x")).ID
	indexes := map[uint64]bool{}
	for _, note := range []string{"", "one", "two", "one", ""} {
		c, err := r.vault.Read(context.Background(), r.who, id, vault.ReadRequest{Purpose: "audit", Note: note})
		if err != nil {
			t.Fatal(err)
		}
		indexes[c.Index] = true
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(indexes) != 3 || r.count("document.read/1") != 3 {
		t.Errorf("%d sessions for three notes", len(indexes))
	}
}
