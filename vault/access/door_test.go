package access_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/vault/access"
)

var errHidden = errors.New("not found")

// principal makes a principal with a role.
func principal(t *testing.T, j *journal.Journal, n byte, role access.Role) access.Who {
	t.Helper()
	id := journal.ID{6: 0x70, 8: 0x80, 15: n}
	commit(t, j, access.PrincipalCreated.New(journal.ID{},
		access.PrincipalCreatedData{Principal: id, Grants: []access.Grant{{Role: role}}}))
	return access.Who{Tenant: tenant, Principal: id}
}

// denials are the refusals on record, as the data of their events.
func denials(t *testing.T, j *journal.Journal) (found []string) {
	t.Helper()
	records, err := j.Records(t.Context(), tenant, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if rec.Type == "access.denied/1" {
			found = append(found, string(rec.Data))
		}
	}
	return found
}

// keyAdded is an act's event.
func keyAdded(who access.Who, n byte) journal.Event {
	return access.KeyAdded.New(journal.ID{},
		access.KeyAddedData{Principal: who.Principal, Digest: append([]byte{n}, make([]byte, 31)...)})
}

func TestDoorCommit(t *testing.T) {
	t.Parallel()
	j := open(t)
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	who := principal(t, j, 1, access.Administrator)
	other := errors.New("other")
	doc := journal.ID{6: 0x70, 8: 0x80, 15: 9}
	for name, c := range map[string]struct {
		decide func(*access.Guard) error
		want   error
		grows  uint64
		data   string // of the refusal on record
	}{
		"permitted": {func(g *access.Guard) error {
			return g.Authorize(access.ManageUsers, access.Scope{}, journal.ID{})
		}, nil, 1, ""},
		"refused": {func(g *access.Guard) error {
			return g.Authorize(access.Read, access.Scope{Series: "permits"}, doc)
		}, access.ErrDenied, 1, `{"action":"document.read","series":"permits"}`},
		"refused and hidden": {func(g *access.Guard) error {
			if p, err := g.Permission(access.Erase); err != nil || !p.None() {
				t.Errorf("permission %+v, error %v", p, err)
			}
			return g.Refuse(access.Erase, access.Scope{}, doc, errHidden)
		}, errHidden, 1, `{"action":"document.erase"}`},
		"nobody has asked": {func(*access.Guard) error { return nil }, access.ErrUnasked, 0, ""},
		"another error":    {func(*access.Guard) error { return other }, other, 0, ""},
		"another error on record": {func(*access.Guard) error {
			return access.Recorded(other, keyAdded(who, 7))
		}, other, 1, ""},
	} {
		before, denied := j.Size(), len(denials(t, j))
		_, err := door.Commit(t.Context(), who, func(_ journal.View, g *access.Guard) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{keyAdded(who, 1)}}, c.decide(g)
		})
		if !errors.Is(err, c.want) || j.Size() != before+c.grows {
			t.Errorf("%s: %v, %d events on record; want %v, %d", name, err, j.Size()-before, c.want, c.grows)
		}
		if c.want == errHidden && errors.Is(err, access.ErrDenied) {
			t.Errorf("%s: the answer tells of the refusal", name)
		}
		switch got := denials(t, j)[denied:]; {
		case c.data == "" && len(got) > 0, c.data != "" && !slices.Equal(got, []string{c.data}):
			t.Errorf("%s: the refusals on record are %v, want %q", name, got, c.data)
		}
	}
}

// fullBackend takes no writes once it is full, and can be read.
type fullBackend struct {
	journal.Backend
	full atomic.Bool
}

func (b *fullBackend) Update(ctx context.Context, fn func(journal.Txn) error) error {
	if b.full.Load() {
		return journal.ErrFull
	}
	return b.Backend.Update(ctx, fn)
}

// TestPermitNeedsAJournalThatRecords: where the journal takes nothing more, no work begins outside.
func TestPermitNeedsAJournalThatRecords(t *testing.T) {
	t.Parallel()
	backend := &fullBackend{Backend: memory.New(memory.Config{})}
	j, err := journal.Open(t.Context(), journal.Config{
		Backend: backend, Bucket: journaltest.NewBucket(t), Signer: journaltest.Signer(),
		Clock: journaltest.NewClock(), Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
		Definitions: access.Definitions(), Origin: "muniment/test", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	custodian := principal(t, j, 1, access.KeyCustodian)
	if err := door.Permit(t.Context(), custodian, access.RotateKey); err != nil {
		t.Fatal(err)
	}
	backend.full.Store(true)
	if err := door.Permit(t.Context(), custodian, access.RotateKey); !errors.Is(err, journal.ErrFull) {
		t.Errorf("on a journal that is full: %v", err)
	}
}

// TestDoorLook: what is permitted costs no commit; a refusal is on record; who was let in meanwhile is let in.
func TestDoorLook(t *testing.T) {
	t.Parallel()
	j := open(t)
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	auditor := principal(t, j, 1, access.Auditor)
	if err := door.Permit(t.Context(), auditor, access.Feed); err != nil || len(denials(t, j)) != 0 {
		t.Errorf("permitted: %v, on record %v", err, denials(t, j))
	}
	if err := door.Permit(t.Context(), auditor, access.Erase); !errors.Is(err, access.ErrDenied) ||
		!slices.Equal(denials(t, j), []string{`{"action":"document.erase"}`}) {
		t.Errorf("refused: %v, on record %v", err, denials(t, j))
	}
	late := access.Who{Tenant: tenant, Principal: journal.ID{6: 0x70, 8: 0x80, 15: 2}}
	looks := 0
	err := door.Look(t.Context(), late, func(_ journal.Reader, g *access.Guard) error {
		err := g.Authorize(access.Feed, access.Scope{}, journal.ID{})
		if looks++; looks == 1 {
			principal(t, j, 2, access.Auditor)
		}
		return err
	})
	if err != nil || looks != 2 || len(denials(t, j)) != 1 {
		t.Errorf("let in meanwhile: %v after %d looks, on record %v", err, looks, denials(t, j))
	}
	unasked := func(journal.Reader, *access.Guard) error { return nil }
	if err := door.Look(t.Context(), auditor, unasked); !errors.Is(err, access.ErrUnasked) {
		t.Errorf("nobody has asked: %v", err)
	}
}

// TestDoorView: nothing that is asked in a view goes on record.
func TestDoorView(t *testing.T) {
	t.Parallel()
	j := open(t)
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	who := principal(t, j, 1, access.Auditor)
	before := j.Size()
	err := door.View(t.Context(), who, func(_ journal.Reader, g *access.Guard) error {
		return g.Authorize(access.Erase, access.Scope{}, journal.ID{})
	})
	if !errors.Is(err, access.ErrDenied) || j.Size() != before {
		t.Errorf("%v, %d events on record", err, j.Size()-before)
	}
}

// TestPermit: the form for packages below knows actors, of which workers may do nothing and leave no record.
func TestPermit(t *testing.T) {
	t.Parallel()
	j := open(t)
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	who := principal(t, j, 1, access.Auditor)
	id := who.Principal.String()
	for _, test := range []struct {
		act    access.Action
		actor  journal.Actor
		want   error
		events uint64 // of Act
	}{
		{access.AnchorNow, journal.Actor{Tenant: tenant, ID: id}, nil, 1},
		{access.ManageUsers, journal.Actor{Tenant: tenant, ID: id}, access.ErrDenied, 1},
		{access.AnchorNow, journal.Actor{Tenant: "other", ID: id}, access.ErrDenied, 1},
		{access.AnchorNow, journal.Actor{Tenant: tenant, ID: "duty"}, access.ErrDenied, 0},
	} {
		if err := door.For(test.act).Permit(t.Context(), test.actor); !errors.Is(err, test.want) {
			t.Errorf("%s by %v: %v, want %v", test.act, test.actor, err, test.want)
		}
		before := j.Size()
		_, err := door.For(test.act).Act(t.Context(), test.actor, func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{keyAdded(who, 1)}}, nil
		})
		if !errors.Is(err, test.want) || j.Size()-before != test.events {
			t.Errorf("%s by %v: %v and %d events, want %v and %d",
				test.act, test.actor, err, j.Size()-before, test.want, test.events)
		}
	}
}

// TestFlush: of a flood of refusals the first have events of their own, and their number is put on record after the
// minute; what could not be recorded is counted on.
func TestFlush(t *testing.T) {
	t.Parallel()
	j := open(t)
	clock := journaltest.NewClock()
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: clock})
	who := principal(t, j, 1, access.Auditor)
	for range 20 {
		if err := door.Permit(t.Context(), who, access.Erase); !errors.Is(err, access.ErrDenied) {
			t.Fatal(err)
		}
	}
	if err := door.Flush(t.Context(), clock.Now()); err != nil || len(denials(t, j)) != 16 {
		t.Errorf("within the minute: %v, %d on record", err, len(denials(t, j)))
	}
	clock.Advance(time.Minute)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := door.Flush(ended, clock.Now()); !errors.Is(err, context.Canceled) {
		t.Errorf("while nothing can be recorded: %v", err)
	}
	if err := door.Flush(t.Context(), clock.Now()); err != nil {
		t.Fatal(err)
	}
	if got := denials(t, j); len(got) != 17 || got[16] != `{"action":"document.erase","more":4}` {
		t.Errorf("after the minute: %v", got)
	}
}

// TestDoorWaits: an act whose record cannot be released is told so, and waits no longer than it must.
func TestDoorWaits(t *testing.T) {
	t.Parallel()
	j, bucket := openWith(t)
	door := access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock(), ReleaseWait: time.Millisecond})
	bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	who := principal(t, j, 1, access.Administrator)
	receipt, err := door.Act(t.Context(), who, access.ManageUsers, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{keyAdded(who, 1)}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := door.Shipped(t.Context()); !errors.Is(err, access.ErrUnreleased) {
		t.Errorf("shipped: %v", err)
	}
	if got, err := door.Released(t.Context(), receipt); !errors.Is(err, access.ErrUnreleased) ||
		got.Index != receipt.Index {
		t.Errorf("released: %+v, %v", got, err)
	}
	bucket.Inject(nil)
	door = access.NewDoor(access.DoorConfig{Journal: j, Clock: journaltest.NewClock()})
	if err := door.Shipped(t.Context()); err != nil {
		t.Errorf("shipped: %v", err)
	}
	if got, err := door.Released(t.Context(), receipt); err != nil || len(got.Checkpoint) == 0 {
		t.Errorf("released: %+v, %v", got, err)
	}
}
