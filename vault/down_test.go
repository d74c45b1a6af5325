package vault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/keys"
	"muniment/vault/keys/keystest"
	"muniment/vault/objects"
	"muniment/vault/objects/objectstest"
)

// newDownRig is a rig whose key service and store can be made to fail.
func newDownRig(t *testing.T) (*rig, *keystest.Faulty, *objectstest.Faulty) {
	t.Helper()
	var svc *keystest.Faulty
	var store *objectstest.Faulty
	r := newRig(t, func(_ *rig, c *vault.Config) {
		svc, store = keystest.NewFaulty(c.Keys), objectstest.NewFaulty(t, c.Objects)
		c.Keys, c.Objects = svc, store
	})
	return r, svc, store
}

// breakKeys makes wraps and unwraps fail.
func breakKeys(svc *keystest.Faulty, how keystest.Fault) {
	svc.Arm(keystest.Wrap, how)
	svc.Arm(keystest.Unwrap, how)
}

// untouched is content that may not be read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("content was read of a deposit that could not come to anything")
	return 0, io.EOF
}

// TestKeysDown: while the key service is down or refuses us, what needs a key is refused, and all else goes on.
func TestKeysDown(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		how  keystest.Fault
		want error
	}{{keystest.Fail, keys.ErrUnavailable}, {keystest.Deny, keys.ErrDenied}} {
		r, svc, _ := newDownRig(t)
		ctx := context.Background()
		done := r.deposit(vault.Deposit{Title: "A title", ExternalID: "EXT"}, []byte("content"))
		second := r.deposit(vault.Deposit{Title: "Another"}, []byte("more"))
		breakKeys(svc, fault.how)
		for name, d := range map[string]vault.Deposit{"a new one": {}, "a repeated one": {ExternalID: "EXT"}} {
			d.Length, d.Content = 7, untouched{t}
			if _, err := r.vault.Deposit(ctx, r.who, d); !errors.Is(err, fault.want) {
				t.Errorf("depositing %s: %v, want %v", name, err, fault.want)
			}
		}
		if _, err := r.read(done.ID); !errors.Is(err, fault.want) {
			t.Errorf("reading: %v, want %v", err, fault.want)
		}
		if _, err := r.vault.Evidence(ctx, r.who, done.ID, true); !errors.Is(err, fault.want) {
			t.Errorf("disclosing: %v, want %v", err, fault.want)
		}
		doc, err := r.vault.Describe(ctx, r.who, done.ID)
		if err != nil || !doc.Withheld || doc.WithheldBecause != vault.ReasonKeys || doc.Title != "" ||
			doc.ContentSHA256 != nil || doc.Size != 7 {
			t.Errorf("describing: %+v, %v", doc, err)
		}
		if doc, err = r.vault.Find(ctx, r.who, "", "EXT"); err != nil || !doc.Withheld || doc.ID != done.ID {
			t.Errorf("finding: %+v, %v", doc, err)
		}
		page, err := r.vault.List(ctx, r.who, vault.Query{Limit: 1})
		if err != nil || len(page.Documents) != 1 || page.Documents[0].WithheldBecause != vault.ReasonKeys ||
			page.Documents[0].Title != "" {
			t.Errorf("listing: %+v, %v", page, err)
		}
		r.goOn(done.ID)
		breakKeys(svc, keystest.None)
		if page, err = r.vault.List(ctx, r.who, vault.Query{Limit: 1, Cursor: page.Next}); err != nil ||
			len(page.Documents) != 1 || page.Documents[0].ID != second.ID || page.Documents[0].Withheld {
			t.Errorf("the next page, with keys again: %+v, %v", page, err)
		}
		if got, err := r.read(done.ID); err != nil || string(got) != "content" {
			t.Errorf("reading with keys again: %q, %v", got, err)
		}
	}
}

// goOn sees that what needs no key goes on.
func (r *rig) goOn(id journal.ID) {
	r.t.Helper()
	ctx := context.Background()
	if story, err := r.story(id); err != nil || len(story) == 0 {
		r.t.Errorf("history: %d, %v", len(story), err)
	}
	if feed, err := r.vault.Feed(ctx, r.who, 0, 10); err != nil || len(feed) == 0 {
		r.t.Errorf("feed: %d, %v", len(feed), err)
	}
	raw, err := r.vault.Evidence(ctx, r.who, id, false)
	if err != nil || bytes.Contains(raw, []byte("disclosure")) {
		r.t.Errorf("evidence: %v", err)
	}
}

// TestStartWithoutKeys: a vault that is opened while the key service is down has no index key. It describes and lists
// all the same, page by page, and goes on by itself.
func TestStartWithoutKeys(t *testing.T) {
	t.Parallel()
	r, svc, _ := newDownRig(t)
	ctx := context.Background()
	var want []journal.ID
	for _, text := range []string{"one", "two", "three"} {
		want = append(want, r.deposit(vault.Deposit{Title: text, ExternalID: text}, []byte(text)).ID)
	}
	breakKeys(svc, keystest.Fail)
	v, err := vault.Open(ctx, r.config(func(*vault.Config) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	before := r.journal.Size()
	var got []journal.ID
	q := vault.Query{Limit: 1}
	for {
		page, err := v.List(ctx, r.who, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range page.Documents {
			if doc.WithheldBecause != vault.ReasonKeys || doc.Title != "" {
				t.Errorf("listed as %+v", doc)
			}
			got = append(got, doc.ID)
		}
		if len(got) == 2 {
			breakKeys(svc, keystest.None) // the cursor was made without the index key, and is good with it too
			if page, err = v.List(ctx, r.who, vault.Query{Limit: 1, Cursor: page.Next}); err != nil ||
				len(page.Documents) != 1 || page.Documents[0].Title != "three" {
				t.Errorf("with keys again: %+v, %v", page, err)
			}
			break
		}
		q.Cursor = page.Next
	}
	if got[0] != want[0] || got[1] != want[1] {
		t.Errorf("listed %v, want the first two of %v", got, want)
	}
	if n := r.journal.Size() - before; n != 1 {
		t.Errorf("%d events, want one: that of the page whose sealed fields were opened", n)
	}
	svc.Arm(keystest.Unwrap, keystest.Fail)
	if _, err := v.List(ctx, r.who, vault.Query{Limit: 1, Cursor: "AAAA"}); !errors.Is(err, vault.ErrCursor) {
		t.Errorf("a forged cursor: %v, want %v", err, vault.ErrCursor)
	}
}

// TestAWrapThatWasLostLeavesNothing: the key service did it, and its answer was lost.
func TestAWrapThatWasLostLeavesNothing(t *testing.T) {
	t.Parallel()
	r, svc, store := newDownRig(t)
	ctx := context.Background()
	svc.Arm(keystest.Wrap, keystest.FailAfter)
	d := vault.Deposit{IdempotencyKey: "k", Length: 1}
	d.Content = untouched{t}
	if _, err := r.vault.Deposit(ctx, r.who, d); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("depositing: %v", err)
	}
	for info := range store.List(ctx, "", "") {
		t.Errorf("an object was left: %s", info.Key)
	}
	svc.Arm(keystest.Wrap, keystest.None)
	d.Content = strings.NewReader("x")
	if out, err := r.vault.Deposit(ctx, r.who, d); err != nil || !out.Created {
		t.Errorf("the retry: %+v, %v", out, err)
	}
}

// TestStoreDown: while the store is down, deposits and reads are refused; a put whose answer was lost leaves an orphan
// that the sweep takes, and the retry leaves exactly one document.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	for _, kind := range []objectstest.Kind{objectstest.Failed, objectstest.TookEffect} {
		r, _, store := newDownRig(t)
		ctx := context.Background()
		done := r.deposit(vault.Deposit{Title: "A title"}, []byte("content"))
		store.Arm(objectstest.Fault{Op: objectstest.Put, Kind: kind})
		d := vault.Deposit{IdempotencyKey: "k", Length: 1, Content: strings.NewReader("x")}
		if _, err := r.vault.Deposit(ctx, r.who, d); !errors.Is(err, objects.ErrUnavailable) {
			t.Errorf("depositing: %v", err)
		}
		store.Arm(objectstest.Fault{Op: objectstest.Get})
		if _, err := r.read(done.ID); !errors.Is(err, objects.ErrUnavailable) {
			t.Errorf("reading: %v", err)
		}
		if doc, err := r.vault.Describe(ctx, r.who, done.ID); err != nil || doc.Title != "A title" {
			t.Errorf("describing: %+v, %v", doc, err)
		}
		r.goOn(done.ID)
		d.Content = strings.NewReader("x")
		if out, err := r.vault.Deposit(ctx, r.who, d); err != nil || !out.Created {
			t.Errorf("the retry: %+v, %v", out, err)
		}
		if got, err := r.read(done.ID); err != nil || string(got) != "content" {
			t.Errorf("reading again: %q, %v", got, err)
		}
		r.clock.Advance(25 * time.Hour)
		orphans := 0
		if kind == objectstest.TookEffect {
			orphans = 1
		}
		if n, err := r.vault.Sweep(ctx, r.tenant); err != nil || n != orphans {
			t.Errorf("swept %d, %v; want %d", n, err, orphans)
		}
	}
}
