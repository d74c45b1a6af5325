package vault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/invalid"
)

// TestPurposes: a tenant's list of purposes bounds what documents are read for, and is a records officer's to set.
func TestPurposes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	done := r.deposit(vault.Deposit{}, []byte("content"))
	officer := r.principal(access.Grant{Role: access.RecordsOfficer})
	reader := r.principal(access.Grant{Role: access.ReaderRole, Series: "default"})
	readFor := func(who access.Who, id journal.ID, purpose string) error {
		c, err := r.vault.Read(ctx, who, id, vault.ReadRequest{Purpose: purpose})
		if err == nil {
			err = c.Close()
		}
		return err
	}
	if err := readFor(reader, done.ID, "curiosity"); err != nil {
		t.Errorf("without a list: %v", err)
	}
	list, err := r.vault.SetPurposes(ctx, officer, []string{"review", "audit"})
	if want := []string{"audit", "review"}; err != nil || !slices.Equal(list, want) {
		t.Fatalf("the list is %q, %v", list, err)
	}
	size := r.journal.Size()
	if _, err := r.vault.SetPurposes(ctx, officer, []string{"audit", "review"}); err != nil ||
		r.journal.Size() != size {
		t.Errorf("the same list again: %d events, %v", r.journal.Size()-size, err)
	}
	if err := readFor(reader, done.ID, "audit"); err != nil {
		t.Errorf("for a listed purpose: %v", err)
	}
	// The session that was open for it does not let another read in either.
	err = readFor(reader, done.ID, "curiosity")
	told := new(vault.PurposeUnlisted)
	if !errors.As(err, &told) || told.Detail() != "the purpose is not one of audit, review" {
		t.Errorf("for another purpose: %v", err)
	}
	if err := readFor(reader, journal.ID{1}, "curiosity"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("of a document that is not there: %v", err)
	}
	if got, err := r.vault.Purposes(ctx, reader); err != nil || len(got) != 2 {
		t.Errorf("a reader sees %q, %v", got, err)
	}
	administrator := r.principal(access.Grant{Role: access.Administrator})
	if _, err := r.vault.Purposes(ctx, administrator); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an administrator: %v", err)
	}
	if _, err := r.vault.SetPurposes(ctx, reader, nil); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a reader changes the list: %v", err)
	}
	if _, err := r.vault.SetPurposes(ctx, officer, nil); err != nil {
		t.Fatal(err)
	}
	if err := readFor(reader, done.ID, "curiosity"); err != nil {
		t.Errorf("when the list is gone: %v", err)
	}
}

// TestBadPurposes: codes only, each once, and not too many.
func TestBadPurposes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("p-%d", i)
	}
	for name, codes := range map[string][]string{"no code": {"An audit"}, "twice": {"a", "b", "a"}, "many": many} {
		if _, err := r.vault.SetPurposes(t.Context(), r.who, codes); !errors.Is(err, invalid.ErrField) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.vault.SetPurposes(t.Context(), r.who, many[:100]); err != nil {
		t.Errorf("a hundred: %v", err)
	}
	got, err := r.vault.Purposes(t.Context(), r.who)
	if diff := cmp.Diff(slices.Sorted(slices.Values(many[:100])), got); err != nil || diff != "" {
		t.Errorf("%v, the list (-want +got):\n%s", err, diff)
	}
}
