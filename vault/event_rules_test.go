package vault_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
)

// TestForbiddenEvents: an event that somebody has written past the program, by an actor that was not allowed to cause
// it, is found when the journal is checked, though it is well formed and every table agrees with it.
func TestForbiddenEvents(t *testing.T) {
	t.Parallel()
	type scene struct {
		*lifeRig
		reader, depositor, officer, other, revoked access.Who
		doc                                        journal.ID
	}
	created := func(s *scene, origin string) journal.Event {
		return access.PrincipalCreated.New(journal.ID{}, access.PrincipalCreatedData{
			Principal: journaltest.Must(journal.NewID(s.clock.Now(), s.cfg.Rand)), Origin: origin,
			Grants: []access.Grant{{Role: access.Administrator}},
		})
	}
	erased := func(s *scene) journal.Event { return vault.DocumentErased.New(s.doc, vault.DocumentErasedData{}) }
	read := func(s *scene) journal.Event {
		return vault.DocumentRead.New(s.doc, vault.DocumentReadData{Purpose: "theft"})
	}
	bootstrap := journal.Actor{Tenant: vault.DefaultTenant, ID: access.BootstrapActor}
	for name, c := range map[string]struct {
		event func(s *scene) (journal.Actor, journal.Event)
		want  string // in the finding; "" for none
	}{
		"a principal by the founding, long after it": {func(s *scene) (journal.Actor, journal.Event) {
			return bootstrap, created(s, access.OriginBootstrap)
		}, "founds tenants"},
		"a principal that says it was founded": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), created(s, access.OriginBootstrap)
		}, "not the part of the program"},
		"a principal by one who may read": {func(s *scene) (journal.Actor, journal.Event) {
			return s.reader.Actor(), created(s, access.OriginCreated)
		}, "not permitted principal.manage"},
		"a principal with grants by one administrator": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), created(s, access.OriginCreated)
		}, "not on trial"},
		"a founder by an administrator": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), created(s, access.OriginFounding)
		}, "not on trial"},
		"a key by an administrator": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), access.KeyAdded.New(journal.ID{},
				access.KeyAddedData{Principal: s.reader.Principal, Digest: make([]byte, 32)})
		}, "not on trial"},
		"a key claimed without a code": {func(s *scene) (journal.Actor, journal.Event) {
			return s.reader.Actor(), access.KeyAdded.New(journal.ID{},
				access.KeyAddedData{Principal: s.reader.Principal, Digest: make([]byte, 32), Claimed: true})
		}, "no code to claim it with"},
		"a key claimed for somebody else": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), access.KeyAdded.New(journal.ID{},
				access.KeyAddedData{Principal: s.reader.Principal, Digest: make([]byte, 32), Claimed: true})
		}, "somebody else"},
		"grants given alone": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), access.GrantsGiven.New(journal.ID{}, access.GrantsGivenData{
				Principal: s.reader.Principal, Grants: []access.Grant{{Role: access.Depositor}}})
		}, "not on trial"},
		"one's own power proposed": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), access.GrantsProposed.New(journal.ID{}, access.GrantsProposedData{
				ID: s.doc, Principal: s.operator.Principal, Grants: []access.Grant{{Role: access.Depositor}}})
		}, "its own power"},
		"roles proposed that exclude each other": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), access.GrantsProposed.New(journal.ID{}, access.GrantsProposedData{
				ID: s.doc, Principal: s.reader.Principal, Grants: []access.Grant{{Role: access.Administrator}}})
		}, "administrator and reader together"},
		"grants revoked by a reader": {func(s *scene) (journal.Actor, journal.Event) {
			return s.reader.Actor(), access.GrantsRevoked.New(journal.ID{}, access.GrantsRevokedData{
				Principal: s.operator.Principal, Grants: []access.Grant{{Role: access.Administrator}}})
		}, "not permitted principal.manage"},
		"a code for a founder by nobody": {func(s *scene) (journal.Actor, journal.Event) {
			return bootstrap, access.CodeIssued.New(journal.ID{}, access.CodeIssuedData{
				Principal: s.operator.Principal, Digest: make([]byte, 32), Lapses: s.clock.Now()})
		}, "nobody who founds"},
		"a recovery that does not wait": {func(s *scene) (journal.Actor, journal.Event) {
			return journal.Actor{Tenant: vault.DefaultTenant, ID: access.OperatorActor},
				access.FoundingBegun.New(journal.ID{}, access.FoundingBegunData{
					Administrator: s.reader.Principal, Approver: s.depositor.Principal})
		}, "waits"},
		"a founding by an administrator": {func(s *scene) (journal.Actor, journal.Event) {
			return s.operator.Actor(), access.FoundingBegun.New(journal.ID{}, access.FoundingBegunData{
				Administrator: s.reader.Principal, Approver: s.depositor.Principal})
		}, "not on trial"},
		"a series by the founding, long after it": {func(*scene) (journal.Actor, journal.Event) {
			return bootstrap, retention.SeriesCreated.New(journal.ID{}, retention.SeriesCreatedData{Code: "late"})
		}, "founds tenants"},
		"a read without the role": {func(s *scene) (journal.Actor, journal.Event) {
			return s.depositor.Actor(), read(s)
		}, "not permitted document.read"},
		"a read in another series": {func(s *scene) (journal.Actor, journal.Event) {
			return s.other.Actor(), read(s)
		}, "not permitted document.read in series default"},
		"a read by one whose keys are revoked": {func(s *scene) (journal.Actor, journal.Event) {
			return s.revoked.Actor(), read(s)
		}, "every API key"},
		"a read by nobody": {func(s *scene) (journal.Actor, journal.Event) {
			return journal.Actor{Tenant: vault.DefaultTenant, ID: s.doc.String()}, read(s)
		}, "no principal of the tenant"},
		"a read by a reader": {func(s *scene) (journal.Actor, journal.Event) { return s.reader.Actor(), read(s) }, ""},
		"an erasure by a reader": {func(s *scene) (journal.Actor, journal.Event) {
			return s.reader.Actor(), erased(s)
		}, "not permitted document.erase"},
		"an erasure by a part of the program": {func(*scene) (journal.Actor, journal.Event) {
			return journal.Actor{Tenant: vault.DefaultTenant, ID: "sweep"}, journal.Event{}
		}, "no principal of the tenant"},
		"an outcome of nobody's read": {func(s *scene) (journal.Actor, journal.Event) {
			return s.reader.Actor(), vault.DocumentServed.New(s.doc, vault.DocumentServedData{Read: 1})
		}, "outcome of no read"},
		"evidence that discloses, without the role": {func(s *scene) (journal.Actor, journal.Event) {
			return s.depositor.Actor(), vault.EvidenceIssued.New(s.doc, vault.EvidenceIssuedData{Disclosed: true})
		}, "not permitted document.disclose"},
		"an abandoned object by a principal": {func(s *scene) (journal.Actor, journal.Event) {
			return s.officer.Actor(), vault.ObjectsAbandoned.New(journal.ID{},
				vault.ObjectsAbandonedData{Keys: []string{"default/x"}})
		}, "not the part of the program"},
		"a duty by a tenant": {func(*scene) (journal.Actor, journal.Event) {
			return journal.Actor{Tenant: vault.DefaultTenant, ID: "access"}, access.Contradicted.New(journal.ID{},
				access.ContradictedData{Table: "t", Row: "00"})
		}, "not the part of the program"},
		"one's own key revoked": {func(s *scene) (journal.Actor, journal.Event) {
			digest := s.founders.Administrator.Key.Digest()
			return s.operator.Actor(), access.KeyRevoked.New(journal.ID{},
				access.KeyRevokedData{Principal: s.operator.Principal, Digest: digest[:]})
		}, "its own API key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			s := &scene{lifeRig: newLifeRig(t, localHouse(t))}
			s.series("other")
			s.reader = s.principal(access.Grant{Role: access.ReaderRole})
			s.depositor = s.principal(access.Grant{Role: access.Depositor})
			s.officer = s.principal(access.Grant{Role: access.RecordsOfficer})
			s.other = s.principal(access.Grant{Role: access.ReaderRole, Series: "other"})
			s.revoked = s.principal(access.Grant{Role: access.ReaderRole})
			if _, err := s.people.RevokeKeys(ctx, s.operator, s.revoked.Principal); err != nil {
				t.Fatal(err)
			}
			s.doc = s.deposit(vault.Deposit{}, []byte("content")).ID
			s.fsck() // nothing is found before
			actor, event := c.event(s)
			if event.Type == "" {
				event = erased(s)
			}
			_, err := s.journal.Commit(ctx, actor, func(view journal.View) (journal.Change, error) {
				change := journal.Change{Events: []journal.Event{event}}
				if event.Type == string(vault.DocumentErased) {
					change.Sealed = []journal.Row{{Key: append([]byte{'d'}, s.doc[:]...)}}
				}
				return change, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			found := s.forbidden()
			if c.want == "" && len(found) != 0 || c.want != "" && (len(found) != 1 ||
				!strings.Contains(found[0], c.want)) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}

// forbidden are the problems of events that their actors were not allowed to cause, by a check of the journal and by
// one of what was released.
func (l *lifeRig) forbidden() (problems []string) {
	l.t.Helper()
	ctx := context.Background()
	bucket := l.shipped()
	rules := access.Join(vault.EventRules(), retention.EventRules())
	definitions := slices.Concat(vault.Definitions(), retention.Definitions())
	found, err := journal.Fsck(ctx, journal.FsckConfig{
		Backend: l.backend, Bucket: bucket, Scratch: memory.New(memory.Config{}),
		Definitions: definitions, Allowed: rules.Allowed(),
	})
	l.must(err)
	head, err := journal.ReadReleased(ctx, bucket, nil)
	l.must(err)
	released, err := journal.CheckReleased(ctx, journal.CheckConfig{
		Bucket: bucket, Head: head, Definitions: definitions, Scratch: memory.New(memory.Config{}),
		Allowed: rules.Allowed(),
	})
	l.must(err)
	own := func(found []journal.Finding) (problems []string) {
		for _, f := range found {
			if strings.Contains(f.Problem, "was not allowed") {
				problems = append(problems, f.Problem)
			}
		}
		return problems
	}
	problems = own(found)
	if strings.Join(problems, "\n") != strings.Join(own(released), "\n") {
		l.t.Errorf("the check of what was released finds %q, that of the journal %q", own(released), problems)
	}
	return problems
}
