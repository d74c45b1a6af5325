package vault_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/memory"
	"muniment/vault"
)

// While the journal's disk is full, nothing that must be on record is given; what holds nothing sealed is.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	r := newRig(t, func(r *rig, _ *vault.Config) {
		r.backend = memory.New(memory.Config{Commit: func(int) memory.Outcome {
			if full.Load() {
				return memory.Full
			}
			return memory.Done
		}})
	})
	ctx := context.Background()
	done := r.deposit(vault.Deposit{Title: "A title", ExternalID: "EXT"}, []byte("content"))
	full.Store(true)
	defer full.Store(false)
	before := r.journal.Size()
	if _, err := r.read(done.ID); !errors.Is(err, journal.ErrFull) {
		t.Errorf("reading: %v", err)
	}
	if _, err := r.vault.Deposit(ctx, r.who,
		vault.Deposit{Length: -1, Content: strings.NewReader("x")}); !errors.Is(err, journal.ErrFull) {
		t.Errorf("depositing: %v", err)
	}
	if _, err := r.vault.Evidence(ctx, r.who, done.ID, true); !errors.Is(err, journal.ErrFull) {
		t.Errorf("disclosing: %v", err)
	}
	doc, err := r.vault.Describe(ctx, r.who, done.ID)
	if err != nil || !doc.Withheld || doc.Title != "" || doc.ContentSHA256 != nil || doc.Size != 7 {
		t.Errorf("describing: %+v, %v", doc, err)
	}
	doc, err = r.vault.Find(ctx, r.who, "", "EXT")
	if err != nil || !doc.Withheld || doc.ID != done.ID || doc.ExternalID != "" {
		t.Errorf("finding: %+v, %v", doc, err)
	}
	page, err := r.vault.List(ctx, r.who, vault.Query{})
	if err != nil || len(page.Documents) != 1 || !page.Documents[0].Withheld || page.Documents[0].Title != "" {
		t.Errorf("listing: %+v, %v", page, err)
	}
	if story, err := r.story(done.ID); err != nil || len(story) != 1 {
		t.Errorf("history: %d, %v", len(story), err)
	}
	if feed, err := r.vault.Feed(ctx, r.who, 0, 10); err != nil || len(feed) == 0 {
		t.Errorf("feed: %d, %v", len(feed), err)
	}
	raw, err := r.vault.Evidence(ctx, r.who, done.ID, false)
	if err != nil || bytes.Contains(raw, []byte("disclosure")) {
		t.Errorf("evidence: %v", err)
	}
	if r.journal.Size() != before {
		t.Error("something was recorded")
	}
	full.Store(false)
	if got, err := r.read(done.ID); err != nil || string(got) != "content" {
		t.Errorf("reading with room again: %q, %v", got, err)
	}
}
