package access_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/vault/access"
)

const tenant = "default"

func open(t testing.TB) *journal.Journal {
	t.Helper()
	j, _ := openWith(t)
	return j
}

// openWith opens a journal, and returns the bucket that it is released to, too.
func openWith(t testing.TB) (*journal.Journal, *journaltest.Bucket) {
	t.Helper()
	bucket := journaltest.NewBucket(t)
	j, err := journal.Open(context.Background(), journal.Config{
		Backend: memory.New(memory.Config{}), Bucket: bucket, Signer: journaltest.Signer(),
		Clock: journaltest.NewClock(), Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
		Definitions: access.Definitions(), Origin: "muniment/test", Create: true,
		ID: journaltest.ID, ShippingKeys: journaltest.ShippingKeys(), Term: journaltest.Term,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	commit(t, j, access.TrialBegun.New(journal.ID{}, access.TrialBegunData{}))
	return j, bucket
}

func commit(t testing.TB, j *journal.Journal, events ...journal.Event) {
	t.Helper()
	_, err := j.Commit(context.Background(), journal.Actor{Tenant: tenant, ID: "test"},
		func(journal.View) (journal.Change, error) {
			return journal.Change{Events: events}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, j *journal.Journal, fn func(journal.Reader)) {
	t.Helper()
	err := j.View(context.Background(), func(r journal.Reader) error { fn(r); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	j := open(t)
	key := journaltest.Must(access.NewAPIKey(rand.Reader))
	other := journaltest.Must(access.NewAPIKey(rand.Reader))
	id := journal.ID{6: 0x70, 8: 0x80, 15: 1}
	digest := key.Digest()
	commit(t, j,
		access.PrincipalCreated.New(journal.ID{},
			access.PrincipalCreatedData{Principal: id, Origin: access.OriginCreated}),
		access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: id, Digest: digest[:]}))
	authority := access.NewAuthority(j, nil)
	view(t, j, func(r journal.Reader) {
		who, err := authority.Authenticate(r, key.Reveal())
		if err != nil || who != (access.Who{Tenant: tenant, Principal: id}) {
			t.Errorf("got %v, %v", who, err)
		}
		text := key.Reveal()
		for _, token := range []string{
			"", "mun_", other.Reveal(), strings.ToUpper(text), text[:len(text)-1], text + "a", text[4:],
			"mun_" + strings.Repeat("1", 52),
		} {
			if who, err := authority.Authenticate(r, token); !errors.Is(err, access.ErrUnknownKey) {
				t.Errorf("%q speaks for %v, error %v", token, who, err)
			}
		}
	})
	commit(t, j, access.KeyRevoked.New(journal.ID{}, access.KeyRevokedData{Principal: id, Digest: digest[:]}))
	view(t, j, func(r journal.Reader) {
		if _, err := authority.Authenticate(r, key.Reveal()); !errors.Is(err, access.ErrUnknownKey) {
			t.Errorf("a revoked key: %v", err)
		}
	})
}

// The half of the digest that is not the row's key counts too.
func TestAuthenticateWholeDigest(t *testing.T) {
	t.Parallel()
	j := open(t)
	key := journaltest.Must(access.NewAPIKey(rand.Reader))
	id := journal.ID{6: 0x70, 8: 0x80, 15: 1}
	digest := key.Digest()
	digest[31] ^= 1
	commit(t, j,
		access.PrincipalCreated.New(journal.ID{}, access.PrincipalCreatedData{Principal: id}),
		access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: id, Digest: digest[:]}))
	view(t, j, func(r journal.Reader) {
		if _, err := access.NewAuthority(j, nil).Authenticate(r, key.Reveal()); !errors.Is(err, access.ErrUnknownKey) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPIKeyIsHidden(t *testing.T) {
	t.Parallel()
	key := journaltest.Must(access.NewAPIKey(rand.Reader))
	marshaled, err := json.Marshal(struct{ Key access.APIKey }{key})
	if err != nil {
		t.Fatal(err)
	}
	shown := string(marshaled)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += fmt.Sprintf(verb, key) + fmt.Sprintf(verb, &key) + fmt.Sprintf(verb,
			[]access.APIKey{key}) + fmt.Sprintf(verb, struct{ K access.APIKey }{key})
	}
	if strings.Contains(shown, key.Reveal()[4:]) || strings.Contains(shown, fmt.Sprintf("%x", key.Reveal()[4:])) {
		t.Errorf("the key shows: %s", shown)
	}
	if text := key.Reveal(); !strings.HasPrefix(text, "mun_") || len(text) != 56 {
		t.Errorf("the key has %d characters", len(text))
	}
}

// permitted is the whole table of roles and acts: a change of it is a change of what people may do.
var permitted = map[access.Role][]access.Action{
	access.Depositor: {access.Deposit, access.ViewFile},
	access.ReaderRole: {access.Describe, access.Read, access.History, access.Evidence, access.Disclose,
		access.ViewAnchors, access.ViewFile},
	access.RecordsOfficer: {
		access.Describe, access.History, access.Evidence, access.Disclose, access.AnchorNow, access.ViewAnchors,
		access.ManageFile, access.ViewFile, access.AttestStore, access.Erase, access.ViewUsers,
	},
	access.Approver: {access.Describe, access.History, access.ViewFile, access.ViewKeys, access.ApproveTrim,
		access.ApproveGrants, access.ViewUsers, access.ViewBackups, access.AcknowledgeTime},
	access.Auditor: {
		access.Describe, access.History, access.Evidence, access.Disclose, access.Feed, access.AnchorNow,
		access.ViewAnchors, access.ViewFile, access.ViewKeys, access.ViewBackups, access.ViewUsers,
	},
	access.KeyCustodian: {
		access.ViewAnchors, access.ViewKeys, access.RotateKey, access.RewrapKeys, access.TrimKey, access.ReshipKey,
		access.RecordBackup, access.ViewBackups,
	},
	access.Administrator: {
		access.AnchorNow, access.ViewAnchors, access.ManageUsers, access.AttestStore, access.ViewKeys,
		access.RecordBackup, access.ViewBackups, access.ViewUsers,
	},
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	j := open(t)
	n := byte(0)
	authority := access.NewAuthority(j, nil)
	for role, allowed := range permitted {
		if !role.Known() {
			t.Errorf("%s is not known", role)
		}
		n += 2
		all, one := journal.ID{6: 0x70, 8: 0x80, 15: n}, journal.ID{6: 0x70, 8: 0x80, 15: n + 1}
		commit(t, j,
			access.PrincipalCreated.New(journal.ID{},
				access.PrincipalCreatedData{Principal: all, Grants: []access.Grant{{Role: role}}}),
			access.PrincipalCreated.New(journal.ID{},
				access.PrincipalCreatedData{Principal: one, Grants: []access.Grant{{Role: role, Series: "a"}}}))
		view(t, j, func(r journal.Reader) {
			for _, act := range access.Acts() {
				want := map[bool]error{true: nil, false: access.ErrDenied}
				may := false
				for _, a := range allowed {
					may = may || a == act
				}
				for _, c := range []struct {
					who   access.Who
					scope access.Scope
					want  error
				}{
					{access.Who{Tenant: tenant, Principal: all}, access.Scope{}, want[may]},
					{access.Who{Tenant: tenant, Principal: all}, access.Scope{Series: "b"}, want[may]},
					{access.Who{Tenant: tenant, Principal: one}, access.Scope{Series: "a"}, want[may]},
					{access.Who{Tenant: tenant, Principal: one}, access.Scope{Series: "b"}, access.ErrDenied},
					{access.Who{Tenant: tenant, Principal: one}, access.Scope{}, access.ErrDenied},
					{access.Who{Tenant: "other", Principal: all}, access.Scope{}, access.ErrDenied},
					{access.Who{Tenant: tenant, Principal: journal.ID{15: 99}}, access.Scope{}, access.ErrDenied},
				} {
					err := access.NewGuard(authority, r, c.who).Authorize(act, c.scope, journal.ID{})
					if !errors.Is(err, c.want) {
						t.Errorf("%s as %s in %+v of %s: %v, want %v", act, role, c.scope, c.who.Tenant, err, c.want)
					}
				}
			}
		})
	}
}

// A token of any bytes speaks for nobody unless it is a key that was added.
func FuzzAuthenticate(f *testing.F) {
	key := journaltest.Must(access.NewAPIKey(journaltest.Rand(1)))
	f.Add(key.Reveal())
	f.Add("mun_")
	f.Add(strings.Repeat("\x00", 56))
	known := journaltest.Must(access.NewAPIKey(journaltest.Rand(2)))
	j, id, digest := open(f), journal.ID{6: 0x70, 8: 0x80, 15: 1}, known.Digest()
	commit(f, j, access.PrincipalCreated.New(journal.ID{}, access.PrincipalCreatedData{Principal: id}),
		access.KeyAdded.New(journal.ID{}, access.KeyAddedData{Principal: id, Digest: digest[:]}))
	authority := access.NewAuthority(j, nil)
	f.Add(known.Reveal())
	f.Fuzz(func(t *testing.T, token string) {
		who, err := authority.AuthenticateNow(t.Context(), token)
		if token == known.Reveal() && (err != nil || who.Principal != id) ||
			token != known.Reveal() && !errors.Is(err, access.ErrUnknownKey) {
			t.Errorf("%q: %v, %v", token, who, err)
		}
	})
}
