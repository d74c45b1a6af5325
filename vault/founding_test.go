package vault_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/invalid"
	"muniment/vault/keys"
	"muniment/vault/people"
	"muniment/vault/people/peopletest"
)

// TestFounding leads a tenant from its trial to two people: keys that one person has let in before have no power after.
func TestFounding(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t)
	authority := r.cfg.Door.Authority()
	made, err := r.people.CreatePrincipal(ctx, r.who, people.NewPrincipal{
		Name: "Rita Reader", Grants: []access.Grant{{Role: access.ReaderRole}}})
	r.must(err)
	reader, err := authority.AuthenticateNow(ctx, made.Key.Reveal())
	r.must(err)
	coded, _, err := r.people.IssueCode(ctx, r.who, reader.Principal)
	r.must(err)
	doc := r.deposit(vault.Deposit{}, []byte("content"))

	for _, names := range [][2]string{{"", "Bob"}, {"Ann", ""}, {"Ann", "Ann"}, {"Ann\n", "Bob"}} {
		if _, err := r.people.Found(ctx, r.who, names[0], names[1]); !errors.Is(err, invalid.ErrField) {
			t.Errorf("founding by %q: %v", names, err)
		}
	}
	if _, err := r.people.Found(ctx, reader, "Ann", "Bob"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("founding by a reader: %v", err)
	}
	first, err := r.people.Found(ctx, r.who, "Ann Archer", "Bob Baker")
	r.must(err)
	two, err := r.people.Found(ctx, r.who, "Ann Archer", "Bob Baker")
	r.must(err)
	for what, code := range map[string]string{
		"that was replaced": first.Approver.Code.Reveal(), "of nobody": "mun_once_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"that is none": "mun_once_", "that is empty": "",
	} {
		if _, err := r.people.Claim(ctx, code, ""); !errors.Is(err, people.ErrNotFound) {
			t.Errorf("claiming with a code %s: %v", what, err)
		}
	}
	bobs := []access.Grant{{Role: access.ReaderRole}}
	for what, prepare := range map[string]func(journal.ID) error{
		"a second code": func(id journal.ID) error { _, _, err := r.people.IssueCode(ctx, r.who, id); return err },
		"grants": func(id journal.ID) error {
			_, err := r.people.ProposeGrants(ctx, r.who, id,
				bobs)
			return err
		},
		"no grants": func(id journal.ID) error {
			_, err := r.people.RevokeGrants(ctx, r.who, id,
				bobs)
			return err
		},
		"no keys":      func(id journal.ID) error { _, err := r.people.RevokeKeys(ctx, r.who, id); return err },
		"another name": func(id journal.ID) error { return r.people.Rename(ctx, r.who, id, "Eve") },
	} {
		if err := prepare(two.Approver.Principal); !errors.Is(err, people.ErrFounding) {
			t.Errorf("%s for a founder: %v", what, err)
		}
	}

	ann, err := r.people.Claim(ctx, two.Administrator.Code.Reveal(), "Somebody Else")
	r.must(err)
	if ann.InForce || ann.Founded || ann.Principal.Name != "Ann Archer" {
		t.Errorf("the first claim gives %+v", ann)
	}
	if _, err := authority.AuthenticateNow(ctx, ann.Key.Reveal()); !errors.Is(err, access.ErrKeyUnapproved) {
		t.Errorf("one founder alone: %v", err)
	}
	if _, err := r.people.Claim(ctx, two.Administrator.Code.Reveal(), ""); !errors.Is(err, people.ErrNotFound) {
		t.Errorf("claiming a second time: %v", err)
	}
	if _, err := r.read(doc.ID); err != nil {
		t.Errorf("reading while the trial goes on: %v", err)
	}
	bob, err := r.people.Claim(ctx, two.Approver.Code.Reveal(), "")
	r.must(err)
	if !bob.InForce || !bob.Founded {
		t.Errorf("the second claim gives %+v", bob)
	}
	for name, key := range map[string]access.APIKey{"the bootstrap's": r.key, "the reader's": made.Key} {
		if _, err := authority.AuthenticateNow(ctx, key.Reveal()); !errors.Is(err, access.ErrUnknownKey) {
			t.Errorf("%s key after the founding: %v", name, err)
		}
	}
	// A code from the trial still gives a key, and the key speaks for nobody.
	late, err := r.people.Claim(ctx, coded.Reveal(), "")
	r.must(err)
	if _, err := authority.AuthenticateNow(ctx, late.Key.Reveal()); !errors.Is(err, access.ErrKeyUnapproved) {
		t.Errorf("a key claimed with a code from the trial: %v", err)
	}
	for _, who := range []access.Who{r.who, reader} {
		request := vault.ReadRequest{Purpose: "audit"}
		if _, err := r.vault.Read(ctx, who, doc.ID, request); !errors.Is(err, access.ErrDenied) {
			t.Errorf("reading with a permission from the trial: %v", err)
		}
	}
	administrator := access.Who{Tenant: r.tenant, Principal: ann.Principal.ID}
	if _, err := r.people.Found(ctx, administrator, "Eve", "Mallory"); !errors.Is(err, people.ErrFounded) {
		t.Errorf("founding again: %v", err)
	}
	if _, ok, err := r.people.FoundingCodes(ctx, r.tenant); ok || err != nil {
		t.Errorf("codes of a founding that is over: %v, %v", ok, err)
	}
}

// TestTrialTakesNoTwo: nothing that takes two people can be done on trial, whoever asks.
func TestTrialTakesNoTwo(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t)
	custodian := r.principal(access.Grant{Role: access.KeyCustodian})
	approver := r.principal(access.Grant{Role: access.Approver})
	if _, err := r.life.ProposeTrim(ctx, custodian, 0); !errors.Is(err, approval.ErrTrial) {
		t.Errorf("proposing a trim: %v", err)
	}
	if _, err := r.life.ApproveTrim(ctx, approver, journal.ID{1}); !errors.Is(err, approval.ErrTrial) {
		t.Errorf("approving a trim: %v", err)
	}
	if _, err := r.life.RunTrim(ctx, custodian, journal.ID{1}); !errors.Is(err, approval.ErrTrial) {
		t.Errorf("carrying out a trim: %v", err)
	}
	if _, err := r.people.ApproveGrants(ctx, approver, journal.ID{1}, nil); !errors.Is(err, approval.ErrTrial) {
		t.Errorf("approving grants: %v", err)
	}
	given, err := r.people.ProposeGrants(ctx, r.who, approver.Principal, []access.Grant{{Role: access.Auditor}})
	if err != nil || given.State != approval.Done || len(given.After) != 2 {
		t.Errorf("granting on trial: %+v, %v", given, err)
	}
	if _, err := r.vault.Feed(ctx, approver, 0, 10); err != nil {
		t.Errorf("using what was granted on trial: %v", err)
	}
}

// TestBeginFounding: a tenant that begins with its founding lets nobody in before both founders have their keys. Codes
// that were lost are made anew at a start, for those who have not claimed.
func TestBeginFounding(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t)
	const tenant = "agency"
	begun, err := r.people.BeginFounding(ctx, tenant, r.vault.BeginTenant)
	r.must(err)
	if _, err := r.people.BeginFounding(ctx, tenant, r.vault.BeginTenant); !errors.Is(err, vault.ErrBootstrapped) {
		t.Errorf("founding it twice: %v", err)
	}
	again, open, err := r.people.FoundingCodes(ctx, tenant)
	r.must(err)
	if !open || again.Approver.Principal != begun.Approver.Principal {
		t.Errorf("new codes: %+v, %v", again, open)
	}
	if _, err := r.people.Claim(ctx, begun.Approver.Code.Reveal(), "Bob"); !errors.Is(err, people.ErrNotFound) {
		t.Errorf("claiming with a code that was made anew: %v", err)
	}
	if _, err := r.people.Claim(ctx, again.Approver.Code.Reveal(), ""); !errors.Is(err, invalid.ErrField) {
		t.Errorf("a founder without a name: %v", err)
	}
	_, err = r.people.Claim(ctx, again.Approver.Code.Reveal(), "Bob Baker")
	r.must(err)
	r.clock.Advance(8 * 24 * time.Hour)
	if _, err := r.people.Claim(ctx, again.Administrator.Code.Reveal(), "Ann"); !errors.Is(err, people.ErrNotFound) {
		t.Errorf("claiming with a code that has lapsed: %v", err)
	}
	third, open, err := r.people.FoundingCodes(ctx, tenant)
	r.must(err)
	if !open || !third.Approver.Code.IsZero() || third.Administrator.Code.IsZero() {
		t.Errorf("the third codes are for %t, %t", !third.Administrator.Code.IsZero(), !third.Approver.Code.IsZero())
	}
	if _, err := r.people.Claim(ctx, third.Administrator.Code.Reveal(), "Bob Baker"); !errors.Is(err,
		invalid.ErrField) {
		t.Errorf("two founders of one name: %v", err)
	}
	ann, err := r.people.Claim(ctx, third.Administrator.Code.Reveal(), "Ann Archer")
	r.must(err)
	if !ann.Founded {
		t.Errorf("the last claim gives %+v", ann)
	}
	people, err := r.people.Principals(ctx, access.Who{Tenant: tenant, Principal: ann.Principal.ID}, time.Time{})
	r.must(err)
	names := map[string]access.Role{}
	for _, p := range people {
		names[p.Name] = p.Grants[0].Role
	}
	want := map[string]access.Role{"Ann Archer": access.Administrator, "Bob Baker": access.Approver}
	if !maps.Equal(names, want) {
		t.Errorf("the founders are %v, want %v", names, want)
	}
}

// TestRecover: the operator can put two people in the place of those who are lost, after a wait in which anybody who is
// there after all can stop it.
func TestRecover(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const wait = 30 * 24 * time.Hour
	r := newRig(t)
	if _, err := r.people.Recover(ctx, r.tenant, "Eve", "Mallory", wait); !errors.Is(err, people.ErrNotFound) {
		t.Errorf("recovering a tenant on trial: %v", err)
	}
	r.found()
	stopped, err := r.people.Recover(ctx, r.tenant, "Eve", "Mallory", wait)
	r.must(err)
	if err := r.people.StopFounding(ctx, r.who); !errors.Is(err, access.ErrDenied) {
		t.Errorf("stopping it as a reader: %v", err)
	}
	r.must(r.people.StopFounding(ctx, r.founders.Approver.Who))
	r.clock.Advance(wait)
	if _, err := r.people.Claim(ctx, stopped.Approver.Code.Reveal(), ""); !errors.Is(err, people.ErrNotFound) {
		t.Errorf("claiming in a recovery that was stopped: %v", err)
	}

	two, err := r.people.Recover(ctx, r.tenant, "Cleo Clark", "Dan Drake", wait)
	r.must(err)
	if _, err := r.people.Claim(ctx, two.Approver.Code.Reveal(), ""); !errors.Is(err, approval.ErrWaiting) {
		t.Errorf("claiming at once: %v", err)
	}
	r.clock.Advance(wait)
	recovered := peopletest.Claim(t, r.people, r.tenant, two)
	auditor := recovered.Principal(t, "Una Auditor", access.Grant{Role: access.Auditor})
	if _, err := r.vault.Feed(ctx, auditor.Who, 0, 10); err != nil {
		t.Errorf("whom the new two have let in: %v", err)
	}
	if _, err := r.cfg.Door.Authority().AuthenticateNow(ctx, r.key.Reveal()); err != nil {
		t.Errorf("the keys of others go on: %v", err)
	}
}

// TestRecoverOverWeekends: the codes of a recovery lapse by the time that it waits by, so that a server which is off at
// weekends can be recovered, too.
func TestRecoverOverWeekends(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLifeRig(t, localHouse(t))
	const wait = 30 * 24 * time.Hour
	two, err := l.people.Recover(ctx, l.tenant, "Cleo Clark", "Dan Drake", wait)
	l.must(err)
	claim := func() error {
		_, err := l.people.Claim(ctx, two.Approver.Code.Reveal(), "")
		return err
	}
	weeks := 0
	for ; errors.Is(claim(), approval.ErrWaiting) && weeks < 10; weeks++ {
		for range 5 {
			l.clock.Advance(24 * time.Hour)
			l.must(l.journal.KeepTime(ctx))
		}
		l.restart(48 * time.Hour)
	}
	l.fsck()
	if _, err := l.people.Claim(ctx, two.Administrator.Code.Reveal(), ""); err != nil || weeks != 6 {
		t.Errorf("after %d weeks of five days: %v, want six weeks for thirty days", weeks, err)
	}
	l.fsck()
}

// racing is a key service during whose next call something happens.
type racing struct {
	keys.Service
	act func() // nil: nothing
}

// Wrap implements keys.Service.
func (s *racing) Wrap(ctx context.Context, tenant string, secrets []keys.Secret) ([]string, error) {
	if act := s.act; act != nil {
		s.act = nil
		act()
	}
	return s.Service.Wrap(ctx, tenant, secrets)
}

// TestClaimCrossesARename: somebody names a principal while its person claims a key and says how they are called.
func TestClaimCrossesARename(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	service := &racing{}
	r := newRig(t, func(_ *rig, cfg *vault.Config) { service.Service, cfg.Keys = cfg.Keys, service })
	made, err := r.people.CreatePrincipal(ctx, r.who, people.NewPrincipal{})
	r.must(err)
	code, _, err := r.people.IssueCode(ctx, r.who, made.Principal.ID)
	r.must(err)
	service.act = func() { r.must(r.people.Rename(ctx, r.who, made.Principal.ID, "Jane Miller")) }
	claimed, err := r.people.Claim(ctx, code.Reveal(), "Jane Doe")
	if err != nil || claimed.Principal.Name != "Jane Miller" {
		t.Errorf("%+v, %v", claimed.Principal, err)
	}
}
