package vault_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muniment/anchor/journal"
	"muniment/anchor/journal/memory"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/invalid"
	"muniment/vault/people"
	"muniment/vault/people/peopletest"
)

// standing is what the model knows of a person.
type standing struct {
	who     access.Who
	grants  map[access.Role]bool
	keys    map[access.Fingerprint]bool // whether it speaks
	revoked bool
	open    *opened
}

// opened is a proposal that is open.
type opened struct {
	id       journal.ID
	proposer int
	lapses   time.Time
	grants   map[access.Role]bool
}

// may says whether a person has a role that counts.
func (s *standing) may(role access.Role) bool { return !s.revoked && s.grants[role] }

// after are the grants once the open proposal is approved.
func (s *standing) after() map[access.Role]bool {
	out := maps.Clone(s.grants)
	if s.open != nil {
		maps.Copy(out, s.open.grants)
	}
	return out
}

// fingerprint is all that an approver is shown.
func (s *standing) fingerprint() string {
	var all []string
	for _, list := range []map[access.Role]bool{s.grants, s.after()} {
		for role := range list {
			all = append(all, string(role))
		}
		slices.Sort(all)
		all = append(all, ";")
	}
	keys := slices.Sorted(maps.Keys(s.keys))
	sum := sha256.Sum256(fmt.Append(nil, all, keys, s.open.id))
	return hex.EncodeToString(sum[:])
}

func (s *standing) withoutKeys() {
	spoke := slices.Contains(slices.Collect(maps.Values(s.keys)), true)
	s.keys = map[access.Fingerprint]bool{}
	s.revoked = s.revoked || spoke
}

// excluded says whether nobody may hold these roles together.
func excluded(grants map[access.Role]bool) bool {
	admin, custodian := grants[access.Administrator], grants[access.KeyCustodian]
	approver := grants[access.Approver]
	return admin && (grants[access.ReaderRole] || grants[access.RecordsOfficer] || custodian || approver) ||
		custodian && approver
}

// seen is what somebody has looked at before approving.
type seen struct {
	target int
	id     journal.ID
	digest []byte
	model  string
}

// grantModel compares a tenant with what the rules of two people make of it.
type grantModel struct {
	r      *rig
	tenant string
	people []*standing
	looked []seen
}

func newGrantModel(t *testing.T, r *rig, tenant string) *grantModel {
	ctx := context.Background()
	begun, err := r.people.BeginFounding(ctx, tenant, r.vault.BeginTenant)
	r.must(err)
	two := peopletest.Claim(t, r.people, tenant, begun)
	m := &grantModel{r: r, tenant: tenant}
	for _, one := range []struct {
		peopletest.Person
		role access.Role
	}{
		{two.Administrator, access.Administrator}, {two.Approver, access.Approver},
		{two.Principal(t, "second", access.Grant{Role: access.Administrator}), access.Administrator},
		{two.Principal(t, "another", access.Grant{Role: access.Approver}), access.Approver},
		{two.Principal(t, "nobody"), ""},
	} {
		s := &standing{who: one.Who, grants: map[access.Role]bool{}, keys: map[access.Fingerprint]bool{}}
		if one.role != "" {
			s.grants[one.role] = true
		}
		s.keys[one.Key.Fingerprint()] = one.role != ""
		m.people = append(m.people, s)
	}
	return m
}

func (m *grantModel) propose(t *rapid.T, by, target int, roles []access.Role) {
	p, a := m.people[target], m.people[by]
	var grants []access.Grant
	further := map[access.Role]bool{}
	union := maps.Clone(p.grants)
	for _, role := range roles {
		grants, union[role] = append(grants, access.Grant{Role: role}), true
		if !p.grants[role] {
			further[role] = true
		}
	}
	waits := slices.Contains(slices.Collect(maps.Values(p.keys)), false)
	want := error(nil)
	switch {
	case !a.may(access.Administrator):
		want = access.ErrDenied
	case by == target:
		want = approval.ErrOwnRequest
	case excluded(union):
		want = people.ErrRoles
	case len(further) == 0 && !waits:
		want = invalid.ErrField
	}
	got, err := m.r.people.ProposeGrants(context.Background(), a.who, p.who.Principal, grants)
	check(t, "proposing", err, want)
	if want == nil {
		p.open = &opened{id: got.ID, proposer: by, lapses: m.r.clock.Now().Add(90 * 24 * time.Hour), grants: further}
	}
}

func (m *grantModel) look(t *rapid.T, target int) {
	p := m.people[target]
	if p.open == nil {
		return
	}
	all, err := m.r.people.GrantProposals(context.Background(), m.viewer().who)
	check(t, "looking", err, nil)
	for _, one := range all {
		if one.Principal == p.who.Principal {
			m.looked = append(m.looked, seen{target, one.ID, one.Digest, p.fingerprint()})
			return
		}
	}
	t.Fatalf("the open proposal for %d is not listed", target)
}

// viewer is anybody who may look.
func (m *grantModel) viewer() *standing {
	for _, p := range m.people {
		if p.may(access.Approver) || p.may(access.Administrator) {
			return p
		}
	}
	return m.people[0]
}

func (m *grantModel) approve(t *rapid.T, by int, what seen) {
	p, a := m.people[what.target], m.people[by]
	want := error(nil)
	switch {
	case !a.may(access.Approver):
		want = access.ErrDenied
	case p.open == nil || p.open.id != what.id:
		want = people.ErrNoProposal
	case p.open.proposer == by, by == what.target:
		want = approval.ErrOwnRequest
	case !m.r.clock.Now().Before(p.open.lapses), !m.people[p.open.proposer].may(access.Administrator):
		want = approval.ErrOver
	case len(p.keys) == 0:
		want = people.ErrNoKey
	case excluded(p.after()):
		want = people.ErrRoles
	case p.fingerprint() != what.model:
		want = people.ErrChanged
	}
	_, err := m.r.people.ApproveGrants(context.Background(), a.who, what.id, what.digest)
	if want == people.ErrNoProposal && err == nil && m.approvedLast(what) {
		return // it was approved, and nothing is put on record again
	}
	check(t, "approving", err, want)
	if want != nil {
		return
	}
	p.grants, p.open, p.revoked = p.after(), nil, false
	for key := range p.keys {
		p.keys[key] = true
	}
}

func (m *grantModel) approvedLast(what seen) bool {
	var last journal.ID
	m.r.must(m.r.journal.View(context.Background(), func(r journal.Reader) error {
		s, _, err := m.r.cfg.Door.Authority().Standing(r, m.people[what.target].who)
		last = s.Approved
		return err
	}))
	return last == what.id
}

// manages is the error of somebody who decides alone about somebody else.
func (m *grantModel) manages(by, target int) error {
	switch {
	case !m.people[by].may(access.Administrator):
		return access.ErrDenied
	case by == target:
		return approval.ErrOwnRequest
	}
	return nil
}

func (m *grantModel) revokeGrants(t *rapid.T, by, target int, role access.Role) {
	p, a := m.people[target], m.people[by]
	want := m.manages(by, target)
	_, err := m.r.people.RevokeGrants(context.Background(), a.who, p.who.Principal, []access.Grant{{Role: role}})
	check(t, "revoking grants", err, want)
	if want == nil {
		delete(p.grants, role)
	}
}

func (m *grantModel) revokeKeys(t *rapid.T, by, target int) {
	p, a := m.people[target], m.people[by]
	want := m.manages(by, target)
	_, err := m.r.people.RevokeKeys(context.Background(), a.who, p.who.Principal)
	check(t, "revoking keys", err, want)
	if want == nil {
		p.withoutKeys()
	}
}

func (m *grantModel) claim(t *rapid.T, by, target int) {
	p, a := m.people[target], m.people[by]
	want := m.manages(by, target)
	code, _, err := m.r.people.IssueCode(context.Background(), a.who, p.who.Principal)
	check(t, "issuing a code", err, want)
	if want != nil {
		return
	}
	claimed, err := m.r.people.Claim(context.Background(), code.Reveal(), "")
	check(t, "claiming", err, nil)
	p.keys[claimed.Key.Fingerprint()] = false
}

// compare holds the tenant against the model.
func (m *grantModel) compare(t *rapid.T) {
	m.r.must(m.r.journal.View(context.Background(), func(r journal.Reader) error {
		for i, p := range m.people {
			s, _, err := m.r.cfg.Door.Authority().Standing(r, p.who)
			if err != nil {
				return err
			}
			grants, keys := map[access.Role]bool{}, map[access.Fingerprint]bool{}
			for _, g := range s.Grants {
				grants[g.Role] = true
			}
			for _, key := range s.Keys {
				keys[access.FingerprintOf(key.Digest)] = key.Speaks
			}
			if !maps.Equal(grants, p.grants) || !maps.Equal(keys, p.keys) || s.Revoked != p.revoked ||
				(s.Proposed == nil) != (p.open == nil) {
				t.Fatalf("person %d stands as %+v, want %+v", i, s, p)
			}
			if excluded(grants) {
				t.Fatalf("person %d has roles that nobody may hold together: %v", i, grants)
			}
		}
		return nil
	}))
}

// check fails unless a step had the error wanted.
func check(t *rapid.T, what string, err, want error) {
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

var grantRoles = []access.Role{
	access.Administrator, access.Approver, access.ReaderRole, access.KeyCustodian, access.Depositor,
}

// TestGrantsModel: whatever administrators, approvers and others do in whatever order, what anybody may do in the end
// was proposed by one administrator, looked at as it stands, and approved by somebody else.
func TestGrantsModel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes a minute of random orders; left out by -short")
	}
	r := newRig(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := newGrantModel(t, r, fmt.Sprintf("model-%d", n))
		person := rapid.IntRange(0, len(m.people)-1)
		rt.Repeat(map[string]func(*rapid.T){
			"propose": func(t *rapid.T) {
				m.propose(t, person.Draw(t, "by"), person.Draw(t, "target"),
					rapid.SliceOfNDistinct(rapid.SampledFrom(grantRoles), 0, 2, rapid.ID).Draw(t, "roles"))
			},
			"look": func(t *rapid.T) { m.look(t, person.Draw(t, "target")) },
			"approve": func(t *rapid.T) {
				if len(m.looked) == 0 {
					t.Skip("nobody has looked")
				}
				m.approve(t, person.Draw(t, "by"), rapid.SampledFrom(m.looked).Draw(t, "seen"))
			},
			"revoke grants": func(t *rapid.T) {
				m.revokeGrants(t, person.Draw(t, "by"), person.Draw(t, "target"),
					rapid.SampledFrom(grantRoles).Draw(t, "role"))
			},
			"revoke keys": func(t *rapid.T) { m.revokeKeys(t, person.Draw(t, "by"), person.Draw(t, "target")) },
			"claim":       func(t *rapid.T) { m.claim(t, person.Draw(t, "by"), person.Draw(t, "target")) },
			"wait": func(t *rapid.T) {
				r.clock.Advance(time.Duration(rapid.IntRange(1, 50).Draw(t, "days")) * 24 * time.Hour)
			},
			"": m.compare,
		})
	})
}

// TestGrantsRaces: proposals, approvals, revocations, dismissals and claims at the same time leave a journal in which
// every act was allowed when it was done, whatever its order has become.
func TestGrantsRaces(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t)
	m := newGrantModel(t, r, "races")
	var race sync.WaitGroup
	for by := range m.people {
		race.Go(func() {
			who := m.people[by].who
			for i := range 12 {
				target := m.people[(by+i)%len(m.people)].who.Principal
				role := grantRoles[(by+i*i)%len(grantRoles)]
				_, _ = r.people.ProposeGrants(ctx, who, target, []access.Grant{{Role: role}})
				if code, _, err := r.people.IssueCode(ctx, who, target); err == nil && i%3 == 0 {
					_, _ = r.people.Claim(ctx, code.Reveal(), "")
				}
				open, _ := r.people.GrantProposals(ctx, who)
				for _, p := range open {
					_, _ = r.people.ApproveGrants(ctx, who, p.ID, p.Digest)
				}
				switch i % 4 {
				case 1:
					_, _ = r.people.RevokeGrants(ctx, who, target, []access.Grant{{Role: role}})
				case 3:
					_, _ = r.people.RevokeKeys(ctx, who, target)
				}
			}
		})
	}
	race.Wait()
	for _, kind := range []string{"grants.approved/1", "grants.revoked/1", "principal.key_revoked/1"} {
		records, err := r.journal.Records(ctx, "races", 0, 1<<20)
		r.must(err)
		if !slices.ContainsFunc(records, func(rec journal.Record) bool { return rec.Type == kind }) {
			t.Errorf("there is no %s among %d events: the race shows nothing", kind, len(records))
		}
	}
	findings, err := journal.Fsck(ctx, journal.FsckConfig{
		Backend: r.backend, Bucket: r.bucket, Scratch: memory.New(memory.Config{}),
		Definitions: slices.Concat(vault.Definitions(), retention.Definitions()),
		Allowed:     access.Join(vault.EventRules(), retention.EventRules()).Allowed(),
	})
	r.must(err)
	for _, f := range findings {
		if strings.Contains(f.Problem, "was not allowed") {
			t.Errorf("%s", f)
		}
	}
}
