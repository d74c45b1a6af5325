package vault_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/people"
)

func TestBootstrap(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	var types []string
	for _, rec := range r.records() {
		types = append(types, rec.Type)
	}
	want := []string{"tenant.created/1", "series.created/1", "tenant.trial_begun/1", "principal.created/1",
		"principal.key_added/1"}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("the first events (-want +got):\n%s", diff)
	}
	if ok, err := r.vault.Bootstrapped(ctx); !ok || err != nil {
		t.Errorf("bootstrapped: %v, %v", ok, err)
	}
	before := r.journal.Size()
	if key, err := r.vault.Bootstrap(ctx); !errors.Is(err, vault.ErrBootstrapped) || !key.IsZero() {
		t.Errorf("a second time: %v", err)
	}
	for _, name := range []string{"", "system", "A", "a/b", "../a", "-a", "a.b"} {
		if _, _, err := r.vault.CreateTenant(ctx, name, nil); !errors.Is(err, invalid.ErrField) {
			t.Errorf("tenant %q: %v", name, err)
		}
	}
	if r.journal.Size() != before {
		t.Error("something was recorded")
	}
}

func TestCreatePrincipal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	created, err := r.people.CreatePrincipal(ctx, r.who,
		people.NewPrincipal{Grants: []access.Grant{{Role: access.Auditor}}})
	if err != nil {
		t.Fatal(err)
	}
	who, key := access.Who{Tenant: r.tenant, Principal: created.Principal.ID}, created.Key
	got, err := r.cfg.Door.Authority().AuthenticateNow(ctx, key.Reveal())
	if err != nil || got != who {
		t.Fatalf("the key speaks for %v, error %v, want %v", got, err, who)
	}
	if _, err := r.people.CreatePrincipal(ctx, who, people.NewPrincipal{}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("by an auditor: %v", err)
	}
	if last, n := r.last("access.denied/1"); n != 1 || last.Actor != who.Principal.String() {
		t.Errorf("on record is %s", last.Body)
	}
	for _, g := range []access.Grant{{Role: "root"}, {Role: access.Auditor, Series: "../a"}} {
		in := people.NewPrincipal{Grants: []access.Grant{g}}
		if _, err := r.people.CreatePrincipal(ctx, r.who, in); !errors.Is(err, invalid.ErrField) {
			t.Errorf("%+v: %v", g, err)
		}
	}
}

func TestOpenAndCheck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, check := range map[string]func(context.Context) error{"keys": r.vault.CheckKeys,
		"objects": r.vault.CheckObjects} {
		if err := check(context.Background()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spoil := range map[string]func(*vault.Config){
		"journal": func(c *vault.Config) { c.Journal = nil }, "keys": func(c *vault.Config) { c.Keys = nil },
		"objects": func(c *vault.Config) { c.Objects = nil }, "rules": func(c *vault.Config) { c.Rules = nil },
		"clock": func(c *vault.Config) { c.Clock = nil }, "rand": func(c *vault.Config) { c.Rand = nil },
		"log": func(c *vault.Config) { c.Log = nil },
	} {
		if _, err := vault.Open(context.Background(), r.config(spoil)); err == nil {
			t.Errorf("without %s: no error", name)
		}
	}
}
