package vault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/people"
	"muniment/vault/people/peopletest"
)

// rogue is an administrator alone: with the own API key, and with every key that can be claimed by it.
type rogue struct {
	*lifeRig
	who  access.Who
	doc  journal.ID
	held map[access.APIKey]bool
}

// newRogue is a tenant in which a trim could be carried out, but for people.
func newRogue(t *testing.T) *rogue {
	l := newLifeRig(t, localHouse(t))
	g := &rogue{lifeRig: l, who: l.founders.Administrator.Who,
		held: map[access.APIKey]bool{l.founders.Administrator.Key: true}}
	g.doc = l.deposit(vault.Deposit{Title: "a title"}, []byte("content")).ID
	l.readyToTrim()
	return g
}

// code gets a one-time code for somebody, and claims a key with it.
func (g *rogue) code(of access.Who) access.APIKey {
	g.t.Helper()
	code, _, err := g.people.IssueCode(context.Background(), g.who, of.Principal)
	g.must(err)
	return g.claim(code)
}

func (g *rogue) claim(code access.Code) access.APIKey {
	g.t.Helper()
	claimed, err := g.people.Claim(context.Background(), code.Reveal(), "")
	g.must(err)
	g.held[claimed.Key] = true
	return claimed.Key
}

// puppet makes a principal of the rogue's own, whose key it claims.
func (g *rogue) puppet(name string, roles ...access.Role) (peopletest.Person, *people.GrantProposal) {
	g.t.Helper()
	var grants []access.Grant
	for _, role := range roles {
		grants = append(grants, access.Grant{Role: role})
	}
	made, err := g.people.CreatePrincipal(context.Background(), g.who, people.NewPrincipal{Name: name, Grants: grants})
	g.must(err)
	who := access.Who{Tenant: g.tenant, Principal: made.Principal.ID}
	return peopletest.Person{Who: who, Key: g.claim(made.Code)}, made.Proposal
}

// powers are the acts that an administrator must not get at, by name: each says how it went.
func (g *rogue) powers(who access.Who) map[string]error {
	ctx := context.Background()
	out := map[string]error{}
	read, err := g.vault.Read(ctx, who, g.doc, vault.ReadRequest{Purpose: "theft"})
	if err == nil {
		_ = read.Close()
	}
	out["reading content"] = err
	_, err = g.vault.Describe(ctx, who, g.doc)
	out["describing a document"] = err
	_, err = g.vault.Evidence(ctx, who, g.doc, true)
	out["disclosing its digest"] = err
	_, err = g.vault.Erase(ctx, who, g.doc, vault.EraseRequest{Authority: "order-1"})
	out["erasing"] = err
	_, err = g.life.Rotate(ctx, who)
	out["rotating the key"] = err
	_, err = g.life.ProposeTrim(ctx, who, 0)
	out["proposing a trim"] = err
	_, err = g.people.ApproveGrants(ctx, who, journal.ID{1}, nil)
	out["approving grants"] = err
	return out
}

// powerless fails the test unless none of the keys that the rogue holds is good for any of these acts.
func (g *rogue) powerless() {
	g.t.Helper()
	for key := range g.held {
		who, err := g.cfg.Door.Authority().AuthenticateNow(context.Background(), key.Reveal())
		if errors.Is(err, access.ErrKeyUnapproved) || errors.Is(err, access.ErrUnknownKey) {
			continue
		}
		g.must(err)
		for act, err := range g.powers(who) {
			if !errors.Is(err, access.ErrDenied) && !errors.Is(err, vault.ErrNotFound) {
				g.t.Errorf("%s with key %s: %v", act, key.Fingerprint(), err)
			}
		}
	}
}

// TestRogueAdministrator walks every way from one administrator's API key to content, to an erasure and to a trim. Each
// ends before that, without somebody else, and is on record.
func TestRogueAdministrator(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, path := range map[string]struct {
		walk func(g *rogue)
		on   []string // record
	}{
		"with the own key": {func(*rogue) {}, nil},
		"a reader of its own": {func(g *rogue) {
			g.puppet("Rita Reader", access.ReaderRole)
		}, []string{"principal.created/1", "grants.proposed/1", "principal.key_added/1"}},
		"a custodian and an approver of its own": {func(g *rogue) {
			g.puppet("Cleo Custodian", access.KeyCustodian)
			approver, proposal := g.puppet("Abe Approver", access.Approver)
			_, err := g.people.ApproveGrants(ctx, approver.Who, proposal.ID, proposal.Digest)
			g.wants("approving one's own approver", err, access.ErrDenied)
		}, []string{"principal.created/1", "grants.proposed/1", "principal.key_added/1"}},
		"grants for itself": {func(g *rogue) {
			for _, role := range []access.Role{access.ReaderRole, access.Approver, access.Auditor} {
				_, err := g.people.ProposeGrants(ctx, g.who, g.who.Principal, []access.Grant{{Role: role}})
				g.wants("proposing for oneself", err, approval.ErrOwnRequest)
			}
		}, nil},
		"approving what it has proposed": {func(g *rogue) {
			_, proposal := g.puppet("Rita Reader", access.ReaderRole)
			_, err := g.people.ApproveGrants(ctx, g.who, proposal.ID, proposal.Digest)
			g.wants("approving as an administrator", err, access.ErrDenied)
		}, []string{"grants.proposed/1", "access.denied/1"}},
		"further keys for those who have power": {func(g *rogue) {
			for _, victim := range []access.Who{g.approver, g.custodian, g.lifeRig.who} {
				key := g.code(victim)
				_, err := g.cfg.Door.Authority().AuthenticateNow(ctx, key.Reveal())
				g.wants("using a key that nobody has approved", err, access.ErrKeyUnapproved)
			}
		}, []string{"principal.code_issued/1", "principal.key_added/1"}},
		"a key that takes the place of a revoked one": {func(g *rogue) {
			_, err := g.people.RevokeKeys(ctx, g.who, g.lifeRig.who.Principal)
			g.must(err)
			g.code(g.lifeRig.who)
		}, []string{"principal.key_revoked/1", "principal.code_issued/1", "principal.key_added/1"}},
		"another key while the approver looks": {func(g *rogue) {
			made, err := g.people.CreatePrincipal(ctx, g.who,
				people.NewPrincipal{Name: "Jane Doe", Grants: []access.Grant{{Role: access.ReaderRole}}})
			g.must(err)
			_, err = g.people.Claim(ctx, made.Code.Reveal(), "")
			g.must(err)
			honest := access.Who{Tenant: g.tenant, Principal: made.Principal.ID}
			open, err := g.people.GrantProposals(ctx, g.approver)
			g.must(err)
			_, err = g.people.RevokeKeys(ctx, g.who, honest.Principal)
			g.must(err)
			g.code(honest)
			_, err = g.people.ApproveGrants(ctx, g.approver, open[0].ID, open[0].Digest)
			g.wants("approving another key than was looked at", err, people.ErrChanged)
		}, []string{"principal.key_revoked/1", "principal.key_added/1"}},
		"another name while the approver looks": {func(g *rogue) {
			puppet, _ := g.puppet("Jane Doe", access.ReaderRole)
			open, err := g.people.GrantProposals(ctx, g.approver)
			g.must(err)
			g.must(g.people.Rename(ctx, g.who, puppet.Principal, "Jane Doe (auditor)"))
			_, err = g.people.ApproveGrants(ctx, g.approver, open[0].ID, open[0].Digest)
			g.wants("approving another name than was looked at", err, people.ErrChanged)
		}, []string{"principal.named/1"}},
		"other grants while the approver looks": {func(g *rogue) {
			puppet, _ := g.puppet("Dan Depositor", access.Depositor)
			open, err := g.people.GrantProposals(ctx, g.approver)
			g.must(err)
			_, err = g.people.ProposeGrants(ctx, g.who, puppet.Principal, []access.Grant{{Role: access.ReaderRole}})
			g.must(err)
			_, err = g.people.ApproveGrants(ctx, g.approver, open[0].ID, open[0].Digest)
			g.wants("approving a proposal that was replaced", err, people.ErrNoProposal)
		}, []string{"grants.proposed/1"}},
		"an approver who becomes the rogue's by dismissing the others": {func(g *rogue) {
			for _, approver := range []access.Who{g.approver, g.founders.Approver.Who} {
				_, err := g.people.RevokeKeys(ctx, g.who, approver.Principal)
				g.must(err)
				_, err = g.people.RevokeGrants(ctx, g.who, approver.Principal, []access.Grant{{Role: access.Approver}})
				g.must(err)
			}
			g.puppet("Abe Approver", access.Approver)
		}, []string{"principal.key_revoked/1", "grants.revoked/1", "grants.proposed/1"}},
		"a founding of its own": {func(g *rogue) {
			_, err := g.people.Found(ctx, g.who, "Eve", "Mallory")
			g.wants("founding again", err, people.ErrFounded)
			_, open, err := g.people.FoundingCodes(ctx, g.tenant)
			if open || err != nil {
				g.t.Errorf("codes for founders: %v, %v", open, err)
			}
		}, nil},
		"what was approved for another": {func(g *rogue) {
			trim, err := g.life.ProposeTrim(ctx, g.custodian, 0)
			g.must(err)
			_, err = g.life.ApproveTrim(ctx, g.who, trim.ID)
			g.wants("approving a trim", err, access.ErrDenied)
			_, err = g.life.ApproveTrim(ctx, g.approver, trim.ID)
			g.must(err)
			g.clock.Advance(trimWait)
			_, err = g.life.RunTrim(ctx, g.who, trim.ID)
			g.wants("carrying out a trim", err, access.ErrDenied)
			g.code(g.custodian)
		}, []string{"access.denied/1", "principal.code_issued/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newRogue(t)
			before := len(g.records())
			path.walk(g)
			g.powerless()
			kinds := map[string]bool{}
			for _, rec := range g.records()[before:] {
				kinds[rec.Type] = true
			}
			for _, kind := range append(path.on, "access.denied/1") {
				if !kinds[kind] {
					t.Errorf("the log has no %s", kind)
				}
			}
			for _, kind := range []string{"document.read/1", "document.erased/1", "key.rotated/1", "key.trim_begun/1"} {
				if kinds[kind] {
					t.Errorf("the log has a %s", kind)
				}
			}
			g.fsck()
		})
	}
}

// TestNobodyHoldsExclusiveRoles: the roles that exclude each other come together in no principal, on no way.
func TestNobodyHoldsExclusiveRoles(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t)
	r.series("a")
	pairs := [][2]access.Role{
		{access.Administrator, access.ReaderRole}, {access.Administrator, access.RecordsOfficer},
		{access.Administrator, access.KeyCustodian}, {access.Administrator, access.Approver},
		{access.KeyCustodian, access.Approver},
	}
	try := func(when string, who access.Who) {
		t.Helper()
		for _, pair := range pairs {
			for _, series := range []string{"", "a"} {
				one, other := access.Grant{Role: pair[0]}, access.Grant{Role: pair[1], Series: series}
				_, err := r.people.CreatePrincipal(ctx, who,
					people.NewPrincipal{Name: "both", Grants: []access.Grant{one, other}})
				if !errors.Is(err, people.ErrRoles) {
					t.Errorf("%s, %v at once: %v", when, pair, err)
				}
				first := r.principal(one)
				_, err = r.people.ProposeGrants(ctx, who, first.Principal, []access.Grant{other})
				if !errors.Is(err, people.ErrRoles) {
					t.Errorf("%s, %v one after the other: %v", when, pair, err)
				}
			}
		}
	}
	try("on trial", r.who)
	r.found()
	try("founded", r.founders.Administrator.Who)
}

// TestPrincipalsAt: who had which right at a past moment is read from the log.
func TestPrincipalsAt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t)
	r.found()
	admin := r.founders.Administrator.Who
	times := []time.Time{r.clock.Now()}
	step := func() {
		times = append(times, r.clock.Now())
		r.clock.Advance(time.Hour)
	}
	r.clock.Advance(time.Hour)
	reader := r.founders.Principal(t, "Rita Reader", access.Grant{Role: access.ReaderRole})
	step()
	r.must(r.people.Rename(ctx, admin, reader.Principal, "Rita Miller"))
	_, err := r.people.RevokeGrants(ctx, admin, reader.Principal, []access.Grant{{Role: access.ReaderRole}})
	r.must(err)
	step()
	_, err = r.people.RevokeKeys(ctx, admin, reader.Principal)
	r.must(err)
	step()
	var got []string
	for _, at := range times {
		p, err := r.people.PrincipalByID(ctx, admin, reader.Principal, at)
		if err == nil && p.Name != "Rita Miller" {
			t.Errorf("the name then is %q, want today's", p.Name)
		}
		got = append(got, fmt.Sprint(len(p.Grants), len(p.Keys), p.Revoked, errors.Is(err, people.ErrNotFound)))
	}
	want := []string{"0 0 false true", "1 1 false false", "0 1 false false", "0 0 true false"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("at moment %d the reader stands as %s, want %s", i, got[i], want[i])
		}
	}
	if _, err := r.people.Principals(ctx, reader.Who, time.Time{}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a reader lists the principals: %v", err)
	}
}
